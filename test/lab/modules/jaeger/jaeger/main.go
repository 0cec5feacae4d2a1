// Jaeger 2 as Istio's sample starts it, played by Jaeger 1, which is all that the
// Go proxy can build. It reads the sample's configuration for the base path and
// starts all-in-one, which lies beside it, with the sample's ports.
package main

import (
	"flag"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"gopkg.in/yaml.v3"
)

// Where all-in-one listens; only this program asks there.
const admin, query = "127.0.0.1:13133", "127.0.0.1:16687"

type configuration struct {
	Extensions struct {
		Query struct {
			BasePath string `yaml:"base_path"`
		} `yaml:"jaeger_query"`
	}
}

func main() {
	file := flag.String("config", "", "configuration of Jaeger 2")
	flag.Parse()
	basePath, err := readBasePath(*file)
	if err != nil {
		log.Fatal(err)
	}
	jaeger, err := start(basePath)
	if err != nil {
		log.Fatal(err)
	}
	go serve(":8888", "/metrics", admin)
	go serve(":16686", basePath, query)
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, syscall.SIGTERM, syscall.SIGINT)
	go func() { jaeger.Process.Signal(<-ends) }()
	if err := jaeger.Wait(); err != nil {
		log.Fatal(err)
	}
}

func readBasePath(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	var wanted configuration
	err = yaml.Unmarshal(text, &wanted)
	return "/" + strings.Trim(wanted.Extensions.Query.BasePath, "/"), err
}

func start(basePath string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	jaeger := exec.Command(
		filepath.Join(filepath.Dir(self), "all-in-one"),
		"--query.base-path="+basePath,
		"--query.http-server.host-port="+query,
		"--admin.http.host-port=:13133", // answers /status too: it is healthy at every path
		"--collector.zipkin.host-port=:9411",
		"--memory.max-traces=10000",
	)
	// It would report its own queries as spans, which Jaeger 2 does not.
	jaeger.Env = append(os.Environ(), "OTEL_TRACES_SAMPLER=always_off")
	jaeger.Stdout, jaeger.Stderr = os.Stdout, os.Stderr
	return jaeger, jaeger.Start()
}

// serve passes requests below a path on and answers 404 to others, as Jaeger 2 does; Jaeger 1 shows its page at every path.
func serve(address, path, to string) {
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: to})
	below := strings.TrimSuffix(path, "/")
	log.Fatal(http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != below && !strings.HasPrefix(r.URL.Path, below+"/") {
			http.NotFound(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	})))
}

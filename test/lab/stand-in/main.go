// A stand-in for the telemetry programs whose binaries cannot be had from a
// package registry. It answers as the real ones do on the paths that matter to
// probes, proxies and browsers, and whom it plays is told by its own file name.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// A persona is what one program serves: a handler for each port.
type persona map[string]http.Handler

var personas = map[string]func() persona{
	"grafana":       grafana,
	"kiali":         kiali,
	"skywalking-ui": skywalkingUI,
	"skywalking-oap": func() persona {
		return persona{":12800": skywalkingOAP(), ":11800": http.NotFoundHandler()}
	},
	"loki":        loki,
	"k8s-sidecar": func() persona { return persona{":8080": http.NotFoundHandler()} },
}

func main() {
	name := filepath.Base(os.Args[0])
	if name == "swctl" {
		return // SkyWalking's probe: "healthy"
	}
	play, ok := personas[name]
	if !ok {
		log.Fatalf("stand-in: nobody is called %q", name)
	}
	failed := make(chan error)
	for address, handler := range play() {
		log.Printf("stand-in for %s listens on %s", name, address)
		go func() { failed <- http.ListenAndServe(address, marked(name, handler)) }()
	}
	log.Fatal(<-failed)
}

// marked says in every answer that this is not the real program.
func marked(name string, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Stand-In", name)
		handler.ServeHTTP(w, r)
	})
}

// page answers with a small HTML page that carries the program's title.
func page(title string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=UTF-8")
		fmt.Fprintf(w, "<!DOCTYPE html><html><head><title>%[1]s</title></head><body>%[1]s (stand-in)</body></html>\n", title)
	}
}

func answer(status int, body any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(body)
	}
}

// redirect keeps the Location relative, as all of these programs do: a proxy
// need not rewrite it.
func redirect(location string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", location)
		w.WriteHeader(http.StatusFound)
	}
}

func metrics(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprintf(w, "# TYPE stand_in_info gauge\nstand_in_info{persona=%q} 1\n", name)
	}
}

func enabled(variable string) bool {
	return strings.EqualFold(os.Getenv(variable), "true")
}

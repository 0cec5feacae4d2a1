// Jaeger 2 as Istio's sample starts it, played by the collector and the query
// service of Jaeger 1, which is all that the Go proxy can build. It reads the
// sample's configuration for the base path, and has the sample's ports.
// Jaeger's own all-in-one has every storage, of which Elasticsearch's client is
// half of all that is compiled; this has the one in memory.
package main

import (
	"flag"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
	"gopkg.in/yaml.v3"

	collector "github.com/jaegertracing/jaeger/cmd/collector/app"
	collectorflags "github.com/jaegertracing/jaeger/cmd/collector/app/flags"
	queryapp "github.com/jaegertracing/jaeger/cmd/query/app"
	"github.com/jaegertracing/jaeger/cmd/query/app/querysvc"
	"github.com/jaegertracing/jaeger/pkg/config"
	"github.com/jaegertracing/jaeger/pkg/healthcheck"
	"github.com/jaegertracing/jaeger/pkg/jtracer"
	"github.com/jaegertracing/jaeger/pkg/metrics"
	"github.com/jaegertracing/jaeger/pkg/telemetery"
	"github.com/jaegertracing/jaeger/pkg/tenancy"
	"github.com/jaegertracing/jaeger/plugin/metrics/disabled"
	"github.com/jaegertracing/jaeger/plugin/sampling/strategyprovider/static"
	"github.com/jaegertracing/jaeger/plugin/storage/memory"
)

// Where the query service listens; only this program asks there.
const query = "127.0.0.1:16687"

// Traces that are kept.
const maximum = 10_000

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
	health := healthcheck.New()
	if err := start(basePath, health); err != nil {
		log.Fatal(err)
	}
	go serve(":8888", promhttp.Handler())
	go serve(":13133", health.Handler())
	go serve(":16686", below(basePath, query))
	health.Ready()
	ends := make(chan os.Signal, 1)
	signal.Notify(ends, syscall.SIGTERM, syscall.SIGINT)
	<-ends
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

// start starts both services on one storage.
func start(basePath string, health *healthcheck.HealthCheck) error {
	logger, err := zap.NewProduction()
	if err != nil {
		return err
	}
	storage := memory.NewFactoryWithConfig(memory.Configuration{MaxTraces: maximum}, metrics.NullFactory, logger)
	tenants := tenancy.NewManager(&tenancy.Options{})
	if err := startCollector(storage, tenants, logger, health); err != nil {
		return err
	}
	return startQuery(basePath, storage, tenants, logger, health)
}

func startCollector(storage *memory.Factory, tenants *tenancy.Manager, logger *zap.Logger, health *healthcheck.HealthCheck) error {
	writer, err := storage.CreateSpanWriter()
	if err != nil {
		return err
	}
	sampling, err := static.NewProvider(static.Options{}, logger)
	if err != nil {
		return err
	}
	settings, command := config.Viperize(collectorflags.AddFlags)
	if err := command.ParseFlags([]string{"--collector.zipkin.host-port=:9411"}); err != nil {
		return err
	}
	options, err := new(collectorflags.CollectorOptions).InitFromViper(settings, logger)
	if err != nil {
		return err
	}
	return collector.New(&collector.CollectorParams{
		ServiceName:      "jaeger-collector",
		Logger:           logger,
		MetricsFactory:   metrics.NullFactory,
		SpanWriter:       writer,
		SamplingProvider: sampling,
		HealthCheck:      health,
		TenancyMgr:       tenants,
	}).Start(options)
}

func startQuery(basePath string, storage *memory.Factory, tenants *tenancy.Manager, logger *zap.Logger, health *healthcheck.HealthCheck) error {
	reader, err := storage.CreateSpanReader()
	if err != nil {
		return err
	}
	dependencies, err := storage.CreateDependencyReader()
	if err != nil {
		return err
	}
	noMetrics, err := disabled.NewMetricsReader()
	if err != nil {
		return err
	}
	settings, command := config.Viperize(queryapp.AddFlags)
	if err := command.ParseFlags([]string{"--query.base-path=" + basePath, "--query.http-server.host-port=" + query}); err != nil {
		return err
	}
	options, err := new(queryapp.QueryOptions).InitFromViper(settings, logger)
	if err != nil {
		return err
	}
	service := querysvc.NewQueryService(reader, dependencies, *options.BuildQueryServiceOptions(storage, logger))
	server, err := queryapp.NewServer(service, noMetrics, options, tenants, telemetery.Setting{
		Logger:         logger,
		TracerProvider: jtracer.NoOp().OTEL, // it would report its own queries as spans, which Jaeger 2 does not
		Metrics:        metrics.NullFactory,
		ReportStatus:   telemetery.HCAdapter(health),
	})
	if err != nil {
		return err
	}
	return server.Start()
}

func serve(address string, handler http.Handler) {
	log.Fatal(http.ListenAndServe(address, handler))
}

// below passes requests below a path on and answers 404 to others, as Jaeger 2 does; Jaeger 1 shows its page at every path.
func below(path, to string) http.Handler {
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: to})
	path = strings.TrimSuffix(path, "/")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path && !strings.HasPrefix(r.URL.Path, path+"/") {
			http.NotFound(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	})
}

package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
)

// spans keeps the names of the services that reported any.
type spans struct {
	mutex    sync.Mutex
	services []string
}

func (s *spans) names() []string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return append([]string{}, s.services...)
}

// receive takes spans in Zipkin's JSON format, which Envoy can send.
func (s *spans) receive(w http.ResponseWriter, r *http.Request) {
	var sent []struct {
		LocalEndpoint struct {
			ServiceName string `json:"serviceName"`
		} `json:"localEndpoint"`
	}
	if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, span := range sent {
		if name := span.LocalEndpoint.ServiceName; name != "" && !slices.Contains(s.services, name) {
			s.services = append(s.services, name)
		}
	}
	slices.Sort(s.services)
	w.WriteHeader(http.StatusAccepted)
}

// jaeger plays Jaeger 2 with the sample's base_path /jaeger: nothing at the root.
func jaeger() persona {
	received := &spans{}
	list := func(items func() []string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			data := items()
			answer(200, map[string]any{"data": data, "total": len(data), "limit": 0, "offset": 0, "errors": nil})(w, r)
		}
	}
	query := http.NewServeMux()
	query.Handle("/jaeger/", page("Jaeger UI"))
	query.Handle("/jaeger/api/services", list(received.names))
	query.Handle("/jaeger/api/traces", list(func() []string { return []string{} }))
	health := http.NewServeMux()
	health.Handle("/status", answer(200, map[string]any{"status": "StatusOK", "healthy": true}))
	collector := http.NewServeMux()
	collector.HandleFunc("POST /api/v2/spans", received.receive)
	otlp := http.NewServeMux()
	otlp.Handle("POST /v1/traces", answer(200, map[string]any{"partialSuccess": map[string]any{}}))
	return persona{":16686": query, ":13133": health, ":9411": collector, ":4318": otlp, ":8888": metrics("jaeger")}
}

// zipkin plays Zipkin 3: UI, API and collector on one port.
func zipkin() persona {
	received := &spans{}
	services := func(w http.ResponseWriter, r *http.Request) { answer(200, received.names())(w, r) }
	mux := http.NewServeMux()
	mux.Handle("/{$}", redirect("/zipkin/"))
	mux.Handle("/zipkin/", page("Zipkin"))
	mux.Handle("/health", answer(200, map[string]string{"status": "UP"}))
	for _, base := range []string{"", "/zipkin"} {
		mux.Handle(base+"/api/v2/traces", answer(200, []string{}))
		mux.HandleFunc(base+"/api/v2/services", services)
	}
	mux.HandleFunc("POST /api/v2/spans", received.receive)
	return persona{":9411": mux}
}

func skywalkingUI() persona {
	mux := http.NewServeMux()
	mux.Handle("/", page("SkyWalking"))
	mux.Handle("/graphql", skywalkingOAP())
	return persona{":8080": mux}
}

func skywalkingOAP() http.Handler {
	return answer(200, map[string]any{"data": map[string]any{"version": "9.7.0-stand-in"}})
}

func loki() persona {
	mux := http.NewServeMux()
	mux.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ready\n")) })
	mux.Handle("/loki/api/v1/labels", answer(200, map[string]any{"status": "success", "data": []string{}}))
	mux.Handle("/metrics", metrics("loki"))
	return persona{":3100": mux}
}

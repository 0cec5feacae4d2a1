package main

import "net/http"

// kiali plays Kiali 2 with the sample's web_root /kiali and anonymous strategy.
func kiali() persona {
	mux := http.NewServeMux()
	mux.Handle("/{$}", redirect("/kiali/"))
	mux.Handle("/kiali", redirect("/kiali/"))
	mux.Handle("/kiali/", page("Kiali"))
	mux.Handle("/healthz", answer(200, map[string]string{}))
	mux.Handle("/kiali/healthz", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) }))
	mux.Handle("/kiali/api/", answer(404, map[string]string{"error": "Not Found"}))
	mux.Handle("/kiali/api/auth/info", answer(200, map[string]any{"strategy": "anonymous", "sessionInfo": map[string]string{}}))
	mux.Handle("/kiali/api/status", answer(200, map[string]any{
		"status": map[string]string{
			"Kiali state":   "running",
			"Kiali version": "v2.27.0",
		},
		"externalServices": []string{},
		"warningMessages":  []string{},
		"istioEnvironment": map[string]any{"isMaistra": false},
	}))
	return persona{":20001": mux, ":9090": metrics("kiali")}
}

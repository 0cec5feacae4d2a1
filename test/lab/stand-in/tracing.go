package main

import "net/http"

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

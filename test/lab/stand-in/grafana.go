package main

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
)

// grafana plays Grafana 12: sign-in, anonymous access, sub-path, the check of
// the Origin header, live WebSocket, and the data source proxy.
func grafana() persona {
	root := strings.TrimSuffix(os.Getenv("GF_SERVER_ROOT_URL"), "/")
	subPath := ""
	if parsed, err := url.Parse(root); err == nil && enabled("GF_SERVER_SERVE_FROM_SUB_PATH") {
		subPath = parsed.Path
	}
	mux := http.NewServeMux()
	mux.Handle("/api/health", answer(200, map[string]string{"database": "ok", "version": "12.0.1", "commit": "stand-in"}))
	mux.Handle("/login", page("Grafana"))
	mux.Handle("/metrics", metrics("grafana"))
	mux.Handle("/api/live/ws", sameOrigin(http.HandlerFunc(webSocketEcho)))
	mux.Handle("/api/org", signedIn(answer(200, map[string]any{"id": 1, "name": "Main Org."}), unauthorized))
	mux.Handle("/api/", signedIn(answer(404, map[string]string{"message": "Not found"}), unauthorized))
	mux.Handle("/api/datasources/proxy/", signedIn(sameOrigin(dataSourceProxy()), unauthorized))
	mux.Handle("/", signedIn(page("Grafana"), redirect(subPath+"/login")))
	served := http.Handler(mux)
	if subPath != "" {
		served = http.NewServeMux()
		served.(*http.ServeMux).Handle(subPath+"/", http.StripPrefix(subPath, mux))
		served.(*http.ServeMux).Handle("/api/health", mux)
		served.(*http.ServeMux).Handle("/", redirect(subPath+"/"))
	}
	return persona{":3000": enforceDomain(root, served)}
}

var unauthorized = answer(401, map[string]string{"message": "Unauthorized"})

// signedIn lets anyone in when anonymous access is on, else only the admin with
// a password, when basic authentication is on.
func signedIn(inside, outside http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		admin := user == os.Getenv("GF_SECURITY_ADMIN_USER") && password == os.Getenv("GF_SECURITY_ADMIN_PASSWORD")
		basic := !strings.EqualFold(os.Getenv("GF_AUTH_BASIC_ENABLED"), "false") && user != "" && admin
		if basic || enabled("GF_AUTH_ANONYMOUS_ENABLED") {
			inside.ServeHTTP(w, r)
		} else {
			outside.ServeHTTP(w, r)
		}
	})
}

// sameOrigin refuses what Grafana refuses behind a proxy that changes the Host
// header: requests whose Origin names another host.
func sameOrigin(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin, err := url.Parse(r.Header.Get("Origin"))
		if err != nil || (origin.Host != "" && origin.Host != r.Host) {
			http.Error(w, "origin not allowed", http.StatusForbidden)
			return
		}
		handler.ServeHTTP(w, r)
	})
}

// enforceDomain sends a browser that came by another name to root_url, the one
// redirect of Grafana that is absolute.
func enforceDomain(root string, handler http.Handler) http.Handler {
	domain := os.Getenv("GF_SERVER_DOMAIN")
	if !enabled("GF_SERVER_ENFORCE_DOMAIN") || domain == "" {
		return handler
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := strings.Cut(r.Host, ":")
		if host != domain && r.URL.Path != "/api/health" {
			http.Redirect(w, r, root, http.StatusMovedPermanently)
			return
		}
		handler.ServeHTTP(w, r)
	})
}

// dataSourceProxy hands /api/datasources/proxy/uid/<uid>/<path> and
// /api/datasources/proxy/<id>/<path> to the Prometheus of the sample's data source.
func dataSourceProxy() http.Handler {
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "prometheus:9090"})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rest := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/api/datasources/proxy/"), "uid/")
		_, path, _ := strings.Cut(rest, "/")
		r.URL.Path = "/" + path
		proxy.ServeHTTP(w, r)
	})
}

package main

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"log"
	"net/http"
	"os"
	"time"
)

// An application of four services, each of which this program can be. Paths,
// names and calls are those of Istio's sample bookinfo, whose images the lab
// cannot pull: productpage calls details and reviews, reviews calls ratings.
// Every answer but the page names its caller's headers that belong to a trace.
type bookinfo struct {
	forwards bool
	// Where a service is, by its name.
	address func(service string) string
}

//go:embed static
var static embed.FS

// A proxy joins spans by these: each service must pass them on to the next.
// Not authorization: a caller's credentials stay with the one it called.
var traceHeaders = []string{
	"X-Request-Id", "X-B3-Traceid", "X-B3-Spanid", "X-B3-Parentspanid", "X-B3-Sampled", "X-B3-Flags", "B3",
	"Traceparent", "Tracestate", "X-Ot-Span-Context",
}

var client = &http.Client{Timeout: 3 * time.Second}

var roles = map[string]func(bookinfo) http.Handler{
	"productpage": bookinfo.productpage,
	"details":     bookinfo.details,
	"reviews":     bookinfo.reviews,
	"ratings":     bookinfo.ratings,
}

// serveBookinfo plays the service that ROLE names. With FORWARD_HEADERS=no
// traces come apart, as they do in an application that forgets the headers.
func serveBookinfo(role string) error {
	handler, known := roles[role]
	if !known {
		return fmt.Errorf("no such role: %s", role)
	}
	app := bookinfo{
		forwards: os.Getenv("FORWARD_HEADERS") != "no",
		address:  func(service string) string { return "http://" + service + ":9080" },
	}
	log.Printf("%s at :9080", role)
	return (&http.Server{Addr: ":9080", Handler: handler(app)}).ListenAndServe()
}

var page = template.Must(template.New("productpage").Parse(`<!DOCTYPE html>
<html lang="en">
<head><title>Simple Bookstore App</title><link rel="stylesheet" href="static/style.css"></head>
<body>
<h1>The Comedy of Errors</h1>
{{range $title, $answer := .}}<h2>{{$title}}</h2>
{{with $answer}}{{if eq .Status 200}}<pre id="{{.Service}}">{{.Body}}</pre>
{{else}}<p class="error">Error fetching {{.Service}}: {{.Body}}</p>
{{end}}{{end}}{{end}}</body>
</html>
`))

func (app bookinfo) productpage() http.Handler {
	mux := roleMux()
	mux.Handle("GET /static/", http.FileServerFS(static))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/productpage", http.StatusFound) })
	mux.HandleFunc("GET /productpage", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		page.Execute(w, map[string]answer{"Book Details": app.call(r, "details"), "Book Reviews": app.call(r, "reviews")})
	})
	products := []map[string]any{{"id": 0, "title": "The Comedy of Errors"}}
	mux.HandleFunc("GET /api/v1/products", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, products) })
	mux.HandleFunc("GET /api/v1/products/0", func(w http.ResponseWriter, r *http.Request) { app.call(r, "details").copyTo(w) })
	mux.HandleFunc("GET /api/v1/products/0/reviews", func(w http.ResponseWriter, r *http.Request) { app.call(r, "reviews").copyTo(w) })
	mux.HandleFunc("GET /api/v1/products/0/ratings", func(w http.ResponseWriter, r *http.Request) { app.call(r, "ratings").copyTo(w) })
	return mux
}

func (app bookinfo) details() http.Handler {
	mux := roleMux()
	mux.HandleFunc("GET /details/0", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, map[string]any{
			"id": 0, "author": "William Shakespeare", "year": 1595, "type": "paperback", "pages": 200, "language": "English",
			"headers": received(r),
		})
	})
	return mux
}

func (app bookinfo) reviews() http.Handler {
	mux := roleMux()
	mux.HandleFunc("GET /reviews/0", func(w http.ResponseWriter, r *http.Request) {
		ratings := app.call(r, "ratings")
		body := json.RawMessage(ratings.Body)
		if ratings.Status != http.StatusOK {
			body = json.RawMessage(`{"error":"Ratings service is currently unavailable"}`)
		}
		reviews := []map[string]string{
			{"reviewer": "Reviewer1", "text": "An extremely entertaining play by Shakespeare."},
			{"reviewer": "Reviewer2", "text": "Absolutely fun and entertaining."},
		}
		writeJSON(w, map[string]any{"id": 0, "reviews": reviews, "ratings": body, "headers": received(r)})
	})
	return mux
}

func (app bookinfo) ratings() http.Handler {
	mux := roleMux()
	mux.HandleFunc("GET /ratings/0", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, map[string]any{"id": 0, "ratings": map[string]int{"Reviewer1": 5, "Reviewer2": 4}, "headers": received(r)})
	})
	return mux
}

func roleMux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, map[string]string{"status": "healthy"}) })
	return mux
}

type answer struct {
	Service string
	Status  int
	// JSON, of failures as well.
	Body string
}

// call asks another service, with the headers of the trace that r belongs to.
func (app bookinfo) call(r *http.Request, service string) answer {
	failed := func(err error) answer {
		body, _ := json.Marshal(map[string]string{"error": err.Error()})
		return answer{service, http.StatusServiceUnavailable, string(body)}
	}
	request, err := http.NewRequestWithContext(r.Context(), "GET", app.address(service)+"/"+service+"/0", nil)
	if err != nil {
		return failed(err)
	}
	for _, name := range traceHeaders {
		if values := r.Header.Values(name); app.forwards && len(values) > 0 {
			request.Header[name] = values
		}
	}
	response, err := client.Do(request)
	if err != nil {
		return failed(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	if err != nil {
		return failed(err)
	}
	return answer{service, response.StatusCode, string(body)}
}

func (a answer) copyTo(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.Status)
	io.WriteString(w, a.Body)
}

// received is what came of the headers of a trace, and of credentials.
func received(r *http.Request) map[string]string {
	found := map[string]string{}
	for _, name := range append([]string{"Authorization"}, traceHeaders...) {
		if value := r.Header.Get(name); value != "" {
			found[http.CanonicalHeaderKey(name)] = value
		}
	}
	return found
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(value)
}

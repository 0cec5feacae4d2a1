package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

func pages() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "wire") })
	// Metrics of its own, as Prometheus reads them.
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "# TYPE wire_answers gauge\nwire_answers 42\n")
	})
	// The first n bytes of the content.
	mux.HandleFunc("GET /bytes", func(w http.ResponseWriter, r *http.Request) {
		n := number(r, "n")
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
		writeContent(w, n)
	})
	// Their SHA-256.
	mux.HandleFunc("GET /sum", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, contentSum(number(r, "n"))) })
	// Answers after so many milliseconds.
	mux.HandleFunc("GET /wait", func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(milliseconds(number(r, "ms")))
		fmt.Fprintln(w, "waited")
	})
	mux.HandleFunc("POST /upload", upload)
	return mux
}

// upload reads all that comes and says how much and what it was. With ?rate=
// (bytes a second) and ?ms= it reads that slowly for so long, then as fast as it
// can; with ?sum=no it only counts.
func upload(w http.ResponseWriter, r *http.Request) {
	digest := sha256.New()
	into := io.Writer(digest)
	if r.URL.Query().Get("sum") == "no" {
		into = io.Discard
	}
	read, err := readSlowly(into, r.Body, number(r, "rate"), milliseconds(number(r, "ms")))
	if err == nil {
		var rest int64
		rest, err = io.CopyBuffer(into, r.Body, make([]byte, 1<<18))
		read += rest
	}
	if err != nil {
		return
	}
	json.NewEncoder(w).Encode(map[string]any{"bytes": read, "sha256": checksum(digest)})
}

func readSlowly(into io.Writer, from io.Reader, rate int64, duration time.Duration) (int64, error) {
	var read int64
	for until := time.Now().Add(duration); rate > 0 && time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		part, err := io.CopyN(into, from, max(rate/20, 1))
		read += part
		if err == io.EOF {
			return read, nil
		}
		if err != nil {
			return read, err
		}
	}
	return read, nil
}

func number(r *http.Request, name string) int64 {
	value, _ := strconv.ParseInt(r.URL.Query().Get(name), 10, 64)
	return value
}

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

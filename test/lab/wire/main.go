// A server that does to a connection what tests and benches ask for: much and
// known content, slow reading, ends and resets at a chosen byte. HTTP at 8080
// (http.go), raw TCP at 9000 (raw.go). With ROLE in its environment it is one
// service of an application instead (bookinfo.go).
package main

import (
	"log"
	"net/http"
	"os"
)

func main() {
	if role := os.Getenv("ROLE"); role != "" {
		log.Fatal(serveBookinfo(role))
	}
	failed := make(chan error)
	go func() { failed <- serveRaw(":9000") }()
	go func() { failed <- (&http.Server{Addr: ":8080", Handler: pages()}).ListenAndServe() }()
	log.Fatal(<-failed)
}

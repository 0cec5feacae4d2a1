// Fetches https://HOST:PORT/ from ADDRESS, trusting only the CA file, or the system's CAs when it is `system`: go-client CA HOST PORT ADDRESS. Prints the status.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	ca, host, port, address := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	roots, err := rootsIn(ca)
	if err != nil {
		fail(err)
	}
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig:   &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(address, port))
		},
	}}
	response, err := client.Get("https://" + net.JoinHostPort(host, port) + "/")
	if err != nil {
		fail(err)
	}
	fmt.Println(response.StatusCode, response.Proto)
}

// A nil pool means the system's CAs.
func rootsIn(ca string) (*x509.CertPool, error) {
	if ca == "system" {
		return nil, nil
	}
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(ca)
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no CA in %s: %v", ca, err)
	}
	return roots, nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

package main

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"strings"
)

func serveRaw(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go serveOne(connection.(*net.TCPConn))
	}
}

// serveOne does what the connection's first line asks for:
//
//	echo       sends back what comes, and ends after the client has
//	bytes N    sends the first N bytes of the content, then ends; reads on until the client ends
//	reset N    the same N bytes, then a reset
//	upload N   reads N bytes, then says `N SHA-256`; needs no end of the client's
//	sum        reads until the client ends, then says `N SHA-256`
//	hold       says `held`, and then neither speaks nor ends
func serveOne(connection *net.TCPConn) {
	defer connection.Close()
	reader := bufio.NewReader(connection)
	line, err := reader.ReadString('\n')
	if err != nil {
		return
	}
	verb, argument, _ := strings.Cut(strings.TrimSpace(line), " ")
	var n int64
	fmt.Sscan(argument, &n)
	switch verb {
	case "echo":
		io.Copy(connection, reader)
	case "bytes":
		writeContent(connection, n)
		connection.CloseWrite()
		io.Copy(io.Discard, reader)
	case "reset":
		writeContent(connection, n)
		connection.SetLinger(0)
	case "upload":
		say(connection, io.LimitReader(reader, n))
	case "sum":
		say(connection, reader)
	case "hold":
		fmt.Fprintln(connection, "held")
		io.Copy(io.Discard, reader)
	}
}

func say(connection *net.TCPConn, from io.Reader) {
	digest := sha256.New()
	read, err := io.Copy(digest, from)
	if err == nil {
		fmt.Fprintf(connection, "%d %s\n", read, checksum(digest))
	}
}

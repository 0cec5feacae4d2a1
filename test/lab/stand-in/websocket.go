package main

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"strings"
)

// RFC 6455, as far as an echo needs it: no fragments, no extensions.
const (
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
	opPing   = 0x9
	opPong   = 0xA

	maximumPayload = 1 << 20
)

type frame struct {
	operation byte
	payload   []byte
}

// webSocketEcho accepts the upgrade and sends every message back until the
// client closes.
func webSocketEcho(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("Sec-WebSocket-Key")
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") || key == "" {
		http.Error(w, "websocket: the client is not using the websocket protocol", http.StatusBadRequest)
		return
	}
	connection, stream, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer connection.Close()
	accept := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	header := http.Header{
		"Upgrade":              {"websocket"},
		"Connection":           {"Upgrade"},
		"Sec-Websocket-Accept": {base64.StdEncoding.EncodeToString(accept[:])},
		"X-Stand-In":           w.Header()["X-Stand-In"],
	}
	stream.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	header.Write(stream)
	stream.WriteString("\r\n")
	echo(stream)
}

func echo(stream *bufio.ReadWriter) {
	for stream.Flush() == nil {
		received, err := readFrame(stream)
		if err != nil {
			return
		}
		switch received.operation {
		case opText, opBinary, opClose:
			writeFrame(stream, received)
		case opPing:
			writeFrame(stream, frame{opPong, received.payload})
		}
		if received.operation == opClose {
			stream.Flush()
			return
		}
	}
}

// readFrame reads one frame of a client: those are masked.
func readFrame(reader io.Reader) (frame, error) {
	var head [2]byte
	if _, err := io.ReadFull(reader, head[:]); err != nil {
		return frame{}, err
	}
	size := uint64(head[1] & 0x7F)
	if size >= 126 {
		extended := make([]byte, map[uint64]int{126: 2, 127: 8}[size])
		if _, err := io.ReadFull(reader, extended); err != nil {
			return frame{}, err
		}
		size = binary.BigEndian.Uint64(append(make([]byte, 8-len(extended)), extended...))
	}
	if masked := head[1]&0x80 != 0; !masked || size > maximumPayload {
		return frame{}, errors.New("websocket: unmasked or too large")
	}
	content := make([]byte, 4+size)
	if _, err := io.ReadFull(reader, content); err != nil {
		return frame{}, err
	}
	mask, payload := content[:4], content[4:]
	for i := range payload {
		payload[i] ^= mask[i%4]
	}
	return frame{head[0] & 0x0F, payload}, nil
}

// writeFrame writes one frame of a server: those are not masked.
func writeFrame(writer io.Writer, sent frame) {
	head := []byte{0x80 | sent.operation}
	switch size := len(sent.payload); {
	case size < 126:
		head = append(head, byte(size))
	case size < 1<<16:
		head = binary.BigEndian.AppendUint16(append(head, 126), uint16(size))
	default:
		head = binary.BigEndian.AppendUint64(append(head, 127), uint64(size))
	}
	writer.Write(append(head, sent.payload...))
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/interop"
	"google.golang.org/grpc/interop/grpc_testing"
)

// How long connections still come after the order to end: until nobody's list of endpoints has this pod.
const lingers = 3 * time.Second

var host, _ = os.Hostname()

func number(r *http.Request, key string) int64 {
	n, _ := strconv.ParseInt(r.URL.Query().Get(key), 10, 64)
	return n
}

// The header goes out at once: a client knows on which pod its request is.
func wait(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Pod", host)
	w.WriteHeader(http.StatusOK)
	http.NewResponseController(w).Flush()
	time.Sleep(time.Duration(number(r, "ms")) * time.Millisecond)
	io.WriteString(w, host)
}

func data(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(number(r, "n"), 10))
	io.CopyBuffer(w, io.LimitReader(pattern(), number(r, "n")), make([]byte, 256<<10))
}

// The sum of what is sent here, or else of what data answers.
func sum(w http.ResponseWriter, r *http.Request) {
	h, from := sha256.New(), io.Reader(r.Body)
	if r.Method == http.MethodGet {
		from = io.LimitReader(pattern(), number(r, "n"))
	}
	io.Copy(h, from)
	fmt.Fprintf(w, "%x\n", h.Sum(nil))
}

func echo(w http.ResponseWriter, r *http.Request) {
	c, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer c.Close()
	for {
		kind, message, err := c.ReadMessage()
		if err != nil || c.WriteMessage(kind, message) != nil {
			return
		}
	}
}

// A certificate of its own, for the names that are in the command line.
func certificate(names []string) (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: names, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 0, 7), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), err
}

func serve(names []string) (any, error) {
	cert, text, err := certificate(names)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", wait)
	mux.HandleFunc("/data", data)
	mux.HandleFunc("/sum", sum)
	mux.HandleFunc("/echo", echo)
	mux.HandleFunc("/certificate", func(w http.ResponseWriter, r *http.Request) { w.Write(text) })

	server := &http.Server{Handler: mux, Protocols: new(http.Protocols), TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetHTTP2(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	calls := grpc.NewServer()
	grpc_testing.RegisterTestServiceServer(calls, interop.NewTestServer())

	failed := make(chan error, 3)
	for port, accept := range map[string]func(net.Listener) error{
		":80": server.Serve, ":443": func(l net.Listener) error { return server.ServeTLS(l, "", "") }, ":50051": calls.Serve,
	} {
		l, err := net.Listen("tcp", port)
		if err != nil {
			return nil, err
		}
		go func() { failed <- accept(l) }()
	}
	term, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	select {
	case err := <-failed:
		return nil, err
	case <-term.Done():
	}
	time.Sleep(lingers)
	limit, done := context.WithTimeout(context.Background(), 10*time.Second)
	defer done()
	go calls.GracefulStop()
	return nil, server.Shutdown(limit)
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop"
	"google.golang.org/grpc/interop/grpc_testing"
)

const patience = 30 * time.Second

func one(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// Messages of all sizes come back as they were, pings are answered, and the end is in order.
func websocketClient(args []string) (any, error) {
	c, _, err := websocket.DefaultDialer.Dial(one(args), nil)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(patience))
	pongs, messages, random := 0, 0, pattern()
	c.SetPongHandler(func(string) error { pongs++; return nil })
	for _, size := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20, 8 << 20} {
		for range 4 {
			sent := make([]byte, size)
			random.Read(sent)
			c.WriteControl(websocket.PingMessage, nil, time.Now().Add(patience))
			go c.WriteMessage(websocket.BinaryMessage, sent)
			kind, got, err := c.ReadMessage()
			if err != nil || kind != websocket.BinaryMessage || !bytes.Equal(sent, got) {
				return nil, fmt.Errorf("a message of %d bytes: %d bytes came back (%v)", size, len(got), err)
			}
			messages++
		}
	}
	c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(patience))
	_, _, err = c.ReadMessage()
	if !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
		return nil, fmt.Errorf("the end: %v", err)
	}
	return map[string]int{"messages": messages, "pongs": pongs}, nil
}

// gRPC's own tests between implementations; each ends the process when it fails.
func grpcClient(args []string) (any, error) {
	c, err := grpc.NewClient("passthrough:///"+one(args), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	ctx, done := context.WithTimeout(context.Background(), patience)
	defer done()
	tc := grpc_testing.NewTestServiceClient(c)
	cases := []func(context.Context, grpc_testing.TestServiceClient, ...grpc.CallOption){
		interop.DoEmptyUnaryCall, interop.DoLargeUnaryCall, interop.DoClientStreaming, interop.DoServerStreaming, interop.DoPingPong,
		interop.DoEmptyStream, interop.DoTimeoutOnSleepingServer, interop.DoCancelAfterBegin, interop.DoCancelAfterFirstResponse,
		interop.DoStatusCodeAndMessage, interop.DoCustomMetadata,
	}
	for _, f := range cases {
		f(ctx, tc)
	}
	return map[string]int{"cases": len(cases)}, nil
}

// get speaks HTTP/1.1 on a connection that stays open, and gives back the pod's name.
func get(c net.Conn, r *bufio.Reader, path string) (string, error) {
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: apps\r\n\r\n", path)
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = errors.New(answer.Status)
	}
	return string(body), err
}

func togetherClient(args []string) (any, error) {
	flags := flag.NewFlagSet("together", flag.ExitOnError)
	n := flags.Int("n", 200, "")
	flags.Parse(args)
	var all, used sync.WaitGroup
	var lock sync.Mutex
	var errs []error
	pods, start, first := map[string]int{}, time.Now(), time.Duration(0)
	used.Add(*n)
	for range *n {
		all.Go(func() {
			c, err := net.DialTimeout("tcp", flags.Arg(0), patience)
			if err == nil {
				defer c.Close()
				c.SetDeadline(time.Now().Add(patience))
				r := bufio.NewReader(c)
				_, err = get(c, r, "/")
				used.Done()
				used.Wait() // nobody goes on before everybody has been answered
				lock.Lock()
				first = max(first, time.Since(start))
				lock.Unlock()
				if err == nil {
					var pod string
					pod, err = get(c, r, "/?ms=200")
					lock.Lock()
					pods[pod]++
					lock.Unlock()
				}
			} else {
				used.Done()
			}
			if err != nil {
				lock.Lock()
				errs = append(errs, err)
				lock.Unlock()
			}
		})
	}
	all.Wait()
	found := map[string]any{"connections": *n, "failed": len(errs), "open_ms": first.Milliseconds(), "all_ms": time.Since(start).Milliseconds(), "pods": pods}
	return found, errors.Join(errs...)
}

func unreadClient(args []string) (any, error) {
	if len(args) != 2 {
		return nil, errors.New("unread HOST:PORT BYTES")
	}
	c, err := net.Dial("tcp", args[0])
	if err != nil {
		return nil, err
	}
	defer c.Close()
	fmt.Fprintf(c, "GET /data?n=%s HTTP/1.1\r\nHost: apps\r\n\r\n", args[1])
	io.Copy(io.Discard, os.Stdin)
	c.SetDeadline(time.Now().Add(patience))
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	n, err := io.Copy(h, answer.Body)
	return map[string]any{"bytes": n, "sha256": fmt.Sprintf("%x", h.Sum(nil))}, err
}

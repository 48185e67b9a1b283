// SPDX-License-Identifier: Apache-2.0

// apps is both ends of the end-to-end tests: a server of HTTP/1.1, HTTP/2, WebSocket and gRPC, and clients that count what fails.
// A client says what it found as one JSON object, and exits with 1 when it was not what it must be.
package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
)

type command struct {
	name, usage string
	run         func(args []string) (any, error)
}

var commands = []command{
	{"serve", "", serve},
	{"websocket", "URL", websocketClient},
	{"grpc", "HOST:PORT", grpcClient},
	{"load", "[-seconds N] [-workers N] URL: half of the workers keep their connection; ends earlier when stdin does", loadClient},
	{"together", "[-n N] HOST:PORT: so many connections are open, and used, at the same time", togetherClient},
	{"unread", "HOST:PORT BYTES: asks for so many bytes, reads none of them until stdin ends, then all", unreadClient},
}

func main() {
	for _, c := range commands {
		if len(os.Args) < 2 || os.Args[1] != c.name {
			continue
		}
		found, err := c.run(os.Args[2:])
		if found != nil {
			json.NewEncoder(os.Stdout).Encode(found)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "apps:", err)
			os.Exit(1)
		}
		return
	}
	for _, c := range commands {
		fmt.Fprintln(os.Stderr, "apps", c.name, c.usage)
	}
	os.Exit(2)
}

// pattern never repeats, so that a piece that is lost, doubled or misplaced shows.
func pattern() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{'f', 'i', 'r', 'e'}) }

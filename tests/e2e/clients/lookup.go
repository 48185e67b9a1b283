// SPDX-License-Identifier: Apache-2.0

// lookup looks each argument up as a Go program does; a line each: NAME ADDRESS|none MILLISECONDS.
package main

import (
	"fmt"
	"net"
	"os"
	"time"
)

func main() {
	for _, name := range os.Args[1:] {
		start, address := time.Now(), "none"
		if list, err := net.LookupHost(name); err == nil {
			address = list[0]
		}
		fmt.Println(name, address, time.Since(start).Milliseconds())
	}
}

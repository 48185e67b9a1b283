// SPDX-License-Identifier: Apache-2.0

// web answers every request with a page that says what is running and where, as text for tools and as HTML for browsers.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

const page = `<!doctype html>
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{.Title}}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;margin:3em auto;max-width:44em;padding:0 1em}th{text-align:left;padding-right:2em;
vertical-align:top}td{font-family:monospace;overflow-wrap:anywhere}</style>
<h1>{{.Title}}</h1>
<table>{{range .Rows}}<tr><th>{{.Name}}<td>{{.Value}}{{end}}</table>
`

var pageTemplate = template.Must(template.New("page").Parse(page))

// row is one fact.
type row struct{ Name, Value string }

func main() {
	port := flag.String("port", fallback(os.Getenv("PORT"), "80"), "port to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	srv := &http.Server{Addr: ":" + *port, Handler: handler(facts(os.Getenv)), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		late, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = srv.Shutdown(late)
	}()
	log.Printf("listening on %s", srv.Addr)
	if err := srv.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}

func fallback(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// facts says where we run; what the chart did not tell is found out or left out.
func facts(env func(string) string) []row {
	host, _ := os.Hostname()
	rows := []row{
		{"Service", env("SERVICE_NAME")},
		{"Namespace", env("POD_NAMESPACE")},
		{"Pod", fallback(env("POD_NAME"), host)},
		{"Node", env("NODE_NAME")},
		{"Address", fallback(env("POD_IP"), strings.Join(addresses(), " "))},
	}
	return slices.DeleteFunc(rows, func(r row) bool { return r.Value == "" })
}

func addresses() []string {
	var list []string
	addrs, _ := net.InterfaceAddrs()
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() {
			list = append(list, n.IP.String())
		}
	}
	return list
}

func handler(facts []row) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rows := append(slices.Clone(facts), row{"Request", r.Method + " " + r.URL.Path}, row{"From", r.RemoteAddr}, row{"Host", r.Host})
		for _, name := range []string{"User-Agent", "X-Forwarded-For"} {
			if v := r.Header.Get(name); v != "" {
				rows = append(rows, row{name, v})
			}
		}
		if !strings.Contains(r.Header.Get("Accept"), "text/html") {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			for _, x := range rows {
				fmt.Fprintf(w, "%s: %s\n", x.Name, x.Value)
			}
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		title := facts[0].Value
		if err := pageTemplate.Execute(w, struct {
			Title string
			Rows  []row
		}{title, rows}); err != nil {
			log.Print(err)
		}
	})
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"
)

// failure is a request that did not succeed: when it began (Unix time in ms), and the pod whose header had come.
type failure struct {
	Began int64  `json:"began"`
	Ended int64  `json:"ended"`
	Pod   string `json:"pod"`
	Kept  bool   `json:"kept"`
	Error string `json:"error"`
}

type load struct {
	sync.Mutex
	took     []time.Duration
	pods     map[string]int
	failures []failure
}

func request(client *http.Client, url string) (pod string, err error) {
	ctx, done := context.WithTimeout(context.Background(), patience)
	defer done()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	answer, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	pod = answer.Header.Get("Pod")
	body, err := io.ReadAll(answer.Body)
	if err == nil && (answer.StatusCode != http.StatusOK || string(body) != pod) {
		err = fmt.Errorf("%s, body %q of pod %q", answer.Status, body, pod)
	}
	return pod, err
}

func (l *load) worker(ctx context.Context, url string, kept bool) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: !kept}}
	for ctx.Err() == nil {
		start := time.Now()
		pod, err := request(client, url)
		l.Lock()
		if err != nil {
			l.failures = append(l.failures, failure{start.UnixMilli(), time.Now().UnixMilli(), pod, kept, err.Error()})
		} else {
			l.took = append(l.took, time.Since(start))
			l.pods[pod]++
		}
		l.Unlock()
	}
}

func (l *load) percentile(p int) float64 {
	if len(l.took) == 0 {
		return 0
	}
	return float64(l.took[(len(l.took)-1)*p/100].Microseconds()) / 1000
}

func loadClient(args []string) (any, error) {
	flags := flag.NewFlagSet("load", flag.ExitOnError)
	seconds := flags.Int("seconds", 60, "")
	workers := flags.Int("workers", 16, "")
	flags.Parse(args)
	ctx, done := context.WithTimeout(context.Background(), time.Duration(*seconds)*time.Second)
	defer done()
	go func() { io.Copy(io.Discard, os.Stdin); done() }()

	l := &load{pods: map[string]int{}, failures: []failure{}}
	var all sync.WaitGroup
	for i := range *workers {
		all.Go(func() { l.worker(ctx, flags.Arg(0), i%2 == 0) })
	}
	all.Wait()
	slices.Sort(l.took)
	return map[string]any{"requests": len(l.took), "failures": l.failures, "pods": l.pods,
		"p50_ms": l.percentile(50), "p95_ms": l.percentile(95), "max_ms": l.percentile(100)}, nil
}

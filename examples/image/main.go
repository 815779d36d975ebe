// Command image is a web application for a container: it answers with its release,
// and counts its visits in the volume /data, which outlives releases.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
)

// visits counts in a file. It is the one writer of it.
type visits struct {
	mu   sync.Mutex
	file string
}

// next counts one visit and returns how many there were.
func (v *visits) next() (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	data, err := os.ReadFile(v.file)
	if err != nil && !os.IsNotExist(err) {
		return 0, err
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(data))) // none at first
	n++
	return n, os.WriteFile(v.file, fmt.Appendln(nil, n), 0o600)
}

func main() {
	v := &visits{file: filepath.Join("/data", "visits")}
	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	http.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		n, err := v.next()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "release %s, visit %d\n", os.Getenv("FAIRLEAD_RELEASE"), n)
	})
	log.Fatal(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}

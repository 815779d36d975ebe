// Command app is what the end-to-end tests release. The file config.json of its
// release says how it behaves; its endpoints try what an instance may and may not
// do, and tell what came of it. With the argument "gate" it is a release's gate,
// with "build DIR" a build command, and with "get SOCKET URL" it calls the API.
package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// config is how a release behaves.
type config struct {
	Version  string
	Failures float64       // share of the requests that are answered with 500
	Latency  time.Duration // of each answer
	Exit     bool          // end at the start
	Deaf     bool          // go on after SIGTERM
	Port     string        // that it listens on, whatever $PORT says
	Unready  bool          // never be ready
	Warmup   time.Duration // until it is ready
	Signals  []string      // values of the header Fairlead-Signal; an answer has one of them
	Queue    float64       // what its metric queue_depth says
	Record   string        // where the test records requests, host:port; must be in network.reach
	Writes   string        // a directory in which it is the only writer, or ends at the start
	Gate     gate
}

// gate is what the gate of a release tries and how it ends.
type gate struct {
	Exit int
	Dial string        // must not be reached
	Last time.Duration // how long it takes, and so does a build
}

func main() {
	if len(os.Args) > 3 && os.Args[1] == "get" { // get SOCKET URL
		os.Exit(get(os.Args[2], os.Args[3]))
	}
	c, err := readConfig()
	if err != nil {
		fmt.Println("bad configuration:", err)
		os.Exit(1)
	}
	switch {
	case len(os.Args) > 1 && os.Args[1] == "gate":
		os.Exit(c.Gate.run())
	case len(os.Args) > 2 && os.Args[1] == "build":
		time.Sleep(c.Gate.Last)
		os.Exit(build(os.Args[2]))
	case c.Exit:
		fmt.Println("ending at once")
		os.Exit(1)
	}
	fmt.Println("serving version", c.Version)
	serve(c)
}

func readConfig() (c config, err error) {
	program, err := os.Executable()
	if err != nil {
		return c, err
	}
	data, err := os.ReadFile(filepath.Join(filepath.Dir(program), "config.json"))
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(data, &c)
}

// run tries what a gate must not do. A success is a failure of the sandbox.
func (g gate) run() int {
	time.Sleep(g.Last)
	writeErr := os.WriteFile("/app/written", nil, 0o600)
	dialErr := dial("tcp", g.Dial)
	fmt.Println("gate write:", writeErr)
	fmt.Println("gate dial:", dialErr)
	if writeErr == nil || dialErr == nil {
		return 99
	}
	return g.Exit
}

// get asks an HTTP server behind a Unix socket, and prints the status.
func get(socket, url string) int {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	answer, err := (&http.Client{Transport: transport}).Get(url)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(answer.StatusCode)
	return 0
}

// build puts a release into dir: this program and its configuration.
func build(dir string) int {
	fmt.Println("building into", dir)
	err := os.MkdirAll(dir, 0o755)
	for _, name := range []string{"app", "config.json"} {
		if err == nil {
			err = os.Rename(name, filepath.Join(dir, name))
		}
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func serve(c config) {
	requests, err := openRecorder(c.Record)
	if err != nil {
		fmt.Println("record requests:", err)
		os.Exit(1)
	}
	alone, err := openWriter(c.Writes)
	if err != nil {
		fmt.Println("write:", err)
		os.Exit(1)
	}
	began := time.Now()
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		requests.record(r)
		c.echo(w, r)
	})
	http.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if c.Unready || time.Since(began) < c.Warmup {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	http.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
		requests.record(r)
		stream(w, r)
	})
	http.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		pause, _ := time.ParseDuration(r.FormValue("for"))
		time.Sleep(pause)
		c.echo(w, r)
	})
	http.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "# TYPE queue_depth gauge\nqueue_depth{kind=\"gpu\"} %g\n", c.Queue)
	})
	http.HandleFunc("/try", try)
	http.HandleFunc("/die", func(http.ResponseWriter, *http.Request) { os.Exit(7) })
	server := &http.Server{Addr: cmp.Or(os.Getenv("HOST"), "127.0.0.1") + ":" + cmp.Or(c.Port, os.Getenv("PORT"))} // images name a host
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if c.Deaf {
		ctx = context.Background()
	}
	go func() {
		if err := server.ListenAndServe(); err != http.ErrServerClosed {
			fmt.Println(err)
			os.Exit(1)
		}
	}()
	<-ctx.Done()
	_ = server.Shutdown(context.Background())
	if err := alone.end(); err != nil {
		fmt.Println("write:", err)
	}
	fmt.Println("ended in order")
}

// echo says which request it was, and which release and instance answers it.
func (c config) echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	time.Sleep(c.Latency)
	w.Header().Set("X-Request-Id", r.Header.Get("X-Request-Id"))
	w.Header().Set("X-Release", os.Getenv("FAIRLEAD_RELEASE"))
	w.Header().Set("X-Instance", os.Getenv("FAIRLEAD_INSTANCE"))
	w.Header().Set("X-Version", c.Version)
	if len(c.Signals) > 0 {
		w.Header().Set("Fairlead-Signal", c.Signals[rand.IntN(len(c.Signals))])
	}
	if err != nil || rand.Float64() < c.Failures {
		w.WriteHeader(http.StatusInternalServerError)
	}
	fmt.Fprintf(w, "%s %d bytes, version %s, digest %x\n", r.Method, len(body), c.Version, sha256.Sum256(body))
}

// stream sends n events, one each 20 ms, and says so at its end.
func stream(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.FormValue("n"))
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Request-Id", r.Header.Get("X-Request-Id"))
	w.Header().Set("X-Release", os.Getenv("FAIRLEAD_RELEASE"))
	w.Header().Set("X-Instance", os.Getenv("FAIRLEAD_INSTANCE"))
	for i := range n {
		fmt.Fprintf(w, "data: %d from %s\n\n", i, os.Getenv("FAIRLEAD_RELEASE"))
		_ = http.NewResponseController(w).Flush()
		time.Sleep(20 * time.Millisecond)
	}
	fmt.Fprint(w, "data: [DONE]\n\n")
}

// attempt is what came of something that an instance tried.
type attempt struct {
	OK    bool     `json:"ok"`
	Error string   `json:"error,omitempty"`
	Text  string   `json:"text,omitempty"`
	Names []string `json:"names,omitempty"`
}

// try does one thing, /try?do=read&at=/etc/shadow, and tells what came of it.
func try(w http.ResponseWriter, r *http.Request) {
	at := r.FormValue("at")
	var a attempt
	var err error
	switch r.FormValue("do") {
	case "read":
		var data []byte
		data, err = os.ReadFile(at)
		a.Text = string(data)
	case "write":
		err = os.WriteFile(at, []byte("written"), 0o600)
	case "list":
		var entries []os.DirEntry
		entries, err = os.ReadDir(at)
		for _, e := range entries {
			a.Names = append(a.Names, e.Name())
		}
	case "tcp", "unix":
		err = dial(r.FormValue("do"), at)
	case "secret":
		var data []byte
		data, err = os.ReadFile(filepath.Join(os.Getenv("FAIRLEAD_SECRETS"), at))
		a.Text = string(data)
	case "env":
		a.Names = os.Environ()
	default:
		err = fmt.Errorf("nothing to try")
	}
	a.OK = err == nil
	if err != nil {
		a.Error = err.Error()
	}
	_ = json.NewEncoder(w).Encode(a)
}

func dial(network, address string) error {
	conn, err := net.DialTimeout(network, address, 2*time.Second)
	if err != nil {
		return err
	}
	return conn.Close()
}

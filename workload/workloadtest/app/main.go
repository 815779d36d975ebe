// Command app is what the conformance suite runs as instances. Its first argument
// says how it behaves; see main.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	mode := "serve"
	if len(os.Args) > 1 {
		mode = os.Args[1]
	}
	fmt.Println("app", mode, os.Getenv("FAIRLEAD_INSTANCE"))
	fmt.Fprintln(os.Stderr, "to standard error")
	switch mode {
	case "serve":
		serve(0)
	case "crash": // ends at once
		os.Exit(3)
	case "deaf": // never listens
		time.Sleep(time.Hour)
	case "stubborn": // does not end on SIGTERM
		serve(time.Hour)
	case "slow": // answers SIGTERM after half a second
		serve(500 * time.Millisecond)
	case "print":
		fmt.Println(strings.Join(os.Args[2:], " "))
	case "fail":
		fmt.Println("failing")
		os.Exit(7)
	case "exit": // with a status
		status, _ := strconv.Atoi(os.Args[2])
		os.Exit(status)
	case "sleep":
		time.Sleep(time.Hour)
	case "write": // a file, and says whether it could
		fmt.Println(os.WriteFile(os.Args[2], []byte("written\n"), 0o644))
	case "fill": // a directory, says how much fitted and empties it again, and then serves
		fmt.Println("filled", fill(os.Args[2]), "MiB")
		serve(0)
	case "hog": // takes memory without end
		hog()
	case "flood":
		line := strings.Repeat("x", 1023)
		for range 3 << 10 {
			fmt.Println(line)
		}
		fmt.Println("the end")
	case "fetch": // an HTTP GET of each URL, all at once; a line each, in their order
		lines := make([]chan string, len(os.Args)-2)
		for n, url := range os.Args[2:] {
			lines[n] = make(chan string, 1)
			go func() { lines[n] <- fetch(url) }()
		}
		for _, line := range lines {
			fmt.Println(<-line)
		}
	default:
		fmt.Println("no such mode")
		os.Exit(2)
	}
}

func hog() {
	var all [][]byte
	for {
		piece := make([]byte, 1<<20)
		for n := range piece {
			piece[n] = 1
		}
		all = append(all, piece)
		fmt.Println("took", len(all), "MiB")
	}
}

// fill writes to a file in dir until no more fits or 1 GiB is in it.
func fill(dir string) (mebibytes int) {
	path := filepath.Join(dir, "filled")
	file, err := os.Create(path)
	if err != nil {
		return -1
	}
	defer os.Remove(path)
	defer file.Close()
	for piece := make([]byte, 1<<20); mebibytes < 1<<10; mebibytes++ {
		if _, err := file.Write(piece); err != nil {
			break
		}
	}
	return mebibytes
}

func fetch(url string) string {
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Get(url)
	if err != nil {
		return fmt.Sprint("error: ", err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return fmt.Sprint(response.Status, " ", string(body))
}

// serve answers HTTP until SIGTERM, and then takes lag to end.
func serve(lag time.Duration) {
	var ready, healthy atomic.Bool
	ready.Store(os.Getenv("UNREADY") == "")
	healthy.Store(true)
	set := func(b *atomic.Bool, v bool) http.HandlerFunc {
		return func(http.ResponseWriter, *http.Request) { b.Store(v) }
	}
	check := func(b *atomic.Bool) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if !b.Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}
	}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "hello from ", os.Getenv("FAIRLEAD_INSTANCE"))
	})
	http.HandleFunc("/ready", check(&ready))
	http.HandleFunc("/ready/set", set(&ready, true))
	http.HandleFunc("/ready/unset", set(&ready, false))
	http.HandleFunc("/healthy", check(&healthy))
	http.HandleFunc("/healthy/unset", set(&healthy, false))
	http.HandleFunc("/print", func(_ http.ResponseWriter, r *http.Request) { fmt.Println(r.FormValue("line")) })
	http.HandleFunc("/die", func(_ http.ResponseWriter, _ *http.Request) { syscall.Kill(os.Getpid(), syscall.SIGKILL) })
	http.HandleFunc("/self", func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(self()) })
	at := os.Getenv("LISTEN")
	if at == "" {
		at = "127.0.0.1"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(at, os.Getenv("PORT")))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go http.Serve(listener, nil)
	<-ctx.Done()
	time.Sleep(lag)
	fmt.Println("ending in order")
}

// Self is what the app tells of itself at /self.
type Self struct {
	Env     []string
	Args    []string
	Dir     string
	Secrets map[string]string
	Modes   map[string]string
}

func self() Self {
	dir, _ := os.Getwd()
	s := Self{Env: os.Environ(), Args: os.Args, Dir: dir, Secrets: map[string]string{}, Modes: map[string]string{}}
	files, _ := filepath.Glob(os.Getenv("FAIRLEAD_SECRETS") + "/*")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			data = []byte(err.Error())
		}
		s.Secrets[filepath.Base(file)] = string(data)
		if info, err := os.Stat(file); err == nil {
			s.Modes[filepath.Base(file)] = info.Mode().String()
		}
	}
	return s
}

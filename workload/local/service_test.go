//go:build linux

package local_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead/fairlead"
	"github.com/fairlead/fairlead/internal/unixsock"
	"github.com/fairlead/fairlead/workload"
	"github.com/fairlead/fairlead/workload/shim"
	"github.com/fairlead/fairlead/workload/workloadtest"
)

func service(t *testing.T, name string) shim.Service {
	return shim.Service{ID: "gateway", Command: []string{filepath.Join(os.Getenv(programsEnv), "service"), name},
		Env: map[string]string{"WORD": "hello"}, Dir: "/", Listeners: []string{"tcp 127.0.0.1:0"}, Notify: true}
}

func startService(t *testing.T, r *shim.Runtime, s shim.Service) {
	t.Helper()
	t.Cleanup(func() {
		ctx := context.Background()
		if err := errors.Join(r.StopService(ctx, workloadtest.Order(), s.ID, 5*time.Second), r.RemoveService(ctx, workloadtest.Order(), s.ID)); err != nil {
			t.Error(err)
		}
	})
	if err := r.StartService(t.Context(), workloadtest.Order(), s); err != nil {
		t.Fatal(err)
	}
}

// awaitService waits until the service is as want says.
func awaitService(t *testing.T, r *shim.Runtime, want func(shim.ServiceStatus) bool) shim.ServiceStatus {
	t.Helper()
	var status shim.ServiceStatus
	workloadtest.Eventually(t, func() (bool, string) {
		all, err := r.Services(context.Background())
		if err != nil || len(all) != 1 {
			return false, fmt.Sprintf("services are %+v, %v", all, err)
		}
		status = all[0]
		var log strings.Builder
		r.ServiceLogs(context.Background(), status.ID, workload.LogOptions{}, &log)
		return want(status), fmt.Sprintf("it is %+v\n%s", status, log.String())
	})
	return status
}

func serves(s shim.ServiceStatus) bool { return s.State == workload.Ready }

func get(address, path string) (string, error) {
	client := http.Client{Timeout: workloadtest.Patience, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + strings.TrimPrefix(address, "tcp ") + path)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func TestAServiceIsReplacedWithoutARefusedRequest(t *testing.T) {
	root := t.TempDir()
	t.Cleanup(func() { nothingLeft(t, root) })
	r := open(t, root)
	startService(t, r, service(t, "one"))
	status := awaitService(t, r, serves)
	address := status.Listeners[0]
	ctx, cancel := context.WithCancel(t.Context())
	answers := map[string]int{}
	var mu sync.Mutex
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for ctx.Err() == nil {
				answer, err := get(address, "/")
				if err != nil {
					t.Errorf("a request was lost: %v", err)
				}
				mu.Lock()
				answers[answer]++
				mu.Unlock()
			}
		})
	}
	for _, name := range []string{"two", "three"} {
		s := service(t, name)
		if err := r.ReplaceService(t.Context(), workloadtest.Order(), s.ID, s.Command, map[string]string{"WORD": "again"}, 5*time.Second); err != nil {
			t.Error(err)
		}
		if answer, err := get(address, "/"); answer == "" || err != nil {
			t.Errorf("it answered %q, %v", answer, err)
		}
	}
	workloadtest.Eventually(t, func() (bool, string) {
		mu.Lock()
		defer mu.Unlock()
		return answers["three again"] > 20, fmt.Sprint(answers)
	})
	cancel()
	clients.Wait()
	if answers["one hello"] == 0 || answers["two again"] == 0 {
		t.Errorf("answers were %v", answers)
	}
	if now := awaitService(t, r, serves); now.Pid == status.Pid || now.Restarts != 0 || now.Command[1] != "three" {
		t.Errorf("it was %+v and is %+v", status, now)
	}
}

func TestAReplacementThatDoesNotServeLeavesTheOldProcess(t *testing.T) {
	r := open(t, t.TempDir())
	startService(t, r, service(t, "one"))
	before := awaitService(t, r, serves)
	broken := service(t, "broken")
	err := r.ReplaceService(t.Context(), workloadtest.Order(), broken.ID, broken.Command, nil, 0)
	if fairlead.CodeOf(err) != fairlead.Unavailable {
		t.Errorf("replacing with a broken one: %v", err)
	}
	if after := awaitService(t, r, serves); after.Pid != before.Pid {
		t.Errorf("it was %+v and is %+v", before, after)
	}
	if answer, err := get(before.Listeners[0], "/"); answer != "one hello" || err != nil {
		t.Errorf("it answered %q, %v", answer, err)
	}
}

func TestAServiceIsStartedAgainOnItsListeners(t *testing.T) {
	r := open(t, t.TempDir())
	startService(t, r, service(t, "one"))
	before := awaitService(t, r, serves)
	get(before.Listeners[0], "/die") // its answer is cut
	// A request that comes while nothing runs waits in the listener's queue.
	if answer, err := get(before.Listeners[0], "/"); answer != "one hello" || err != nil {
		t.Errorf("it answered %q, %v", answer, err)
	}
	after := awaitService(t, r, func(s shim.ServiceStatus) bool { return serves(s) && s.Restarts == 1 })
	if after.LastExit != "signal: killed" || after.Listeners[0] != before.Listeners[0] {
		t.Errorf("it was %+v and is %+v", before, after)
	}
}

func TestANewRuntimeFindsAService(t *testing.T) {
	root := t.TempDir()
	first := open(t, root)
	startService(t, first, service(t, "one"))
	before := awaitService(t, first, serves)
	second := open(t, root)
	if err := second.StartService(t.Context(), workloadtest.Order(), service(t, "one")); err != nil {
		t.Fatal(err)
	}
	if after := awaitService(t, second, serves); after.Pid != before.Pid {
		t.Errorf("it was %+v and is %+v", before, after)
	}
	stale := fairlead.Order{Term: 1, Seq: 1}
	if err := second.StopService(t.Context(), stale, "gateway", 0); fairlead.CodeOf(err) != fairlead.Conflict {
		t.Errorf("a stale stop: %v", err)
	}
}

func TestKillingAServicesShimKillsItsProcessAndFreesItsListeners(t *testing.T) {
	root := t.TempDir()
	r := open(t, root)
	socket := filepath.Join(root, "control.sock")
	s := service(t, "one")
	s.Listeners = append(s.Listeners, "unix "+socket)
	startService(t, r, s)
	status := awaitService(t, r, serves)
	conn, err := unixsock.Dial(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	killShim(t, filepath.Join(root, "services", "gateway"))
	awaitService(t, r, func(s shim.ServiceStatus) bool { return s.State == workload.Exited && s.LastExit == "its shim died" })
	workloadtest.Eventually(t, func() (bool, string) {
		err := syscall.Kill(status.Pid, 0)
		return errors.Is(err, syscall.ESRCH), fmt.Sprintf("process %d is left: %v", status.Pid, err)
	})
	listener, err := net.Listen("tcp", strings.TrimPrefix(status.Listeners[0], "tcp "))
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
}

func TestAServiceWhoseShimHangsIsStoppedAllTheSame(t *testing.T) {
	root := t.TempDir()
	t.Cleanup(func() { nothingLeft(t, root) })
	r := open(t, root)
	startService(t, r, service(t, "one"))
	status := awaitService(t, r, serves)
	if err := syscall.Kill(shimPid(t, filepath.Join(root, "services", "gateway")), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	stale := fairlead.Order{Term: 1, Seq: 1}
	if err := r.StopService(t.Context(), stale, "gateway", 0); fairlead.CodeOf(err) != fairlead.Conflict {
		t.Errorf("a stale stop: %v", err)
	}
	if err := r.StopService(t.Context(), workloadtest.Order(), "gateway", 0); err != nil {
		t.Fatal(err)
	}
	awaitService(t, r, func(s shim.ServiceStatus) bool { return s.State == workload.Exited && s.LastExit == "its shim died" })
	workloadtest.Eventually(t, func() (bool, string) {
		err := syscall.Kill(status.Pid, 0)
		return errors.Is(err, syscall.ESRCH), fmt.Sprintf("process %d is left: %v", status.Pid, err)
	})
}

func TestAServiceThatCannotBindIsNotStarted(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	r := open(t, t.TempDir())
	s := service(t, "one")
	s.Listeners = []string{"tcp " + listener.Addr().String()}
	if err := r.StartService(t.Context(), workloadtest.Order(), s); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("binding what is bound: %v", err)
	}
	s.Listeners = []string{"tcp 127.0.0.1:0"}
	startService(t, r, s)
	awaitService(t, r, serves)
}

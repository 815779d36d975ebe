package container

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"

	"github.com/fairlead/fairlead/internal/unixsock"
	"github.com/fairlead/fairlead/workload"
)

// outlet is an Outlet that is open.
type outlet struct {
	engine   *Engine
	dir      string // of its socket and the program, in outletsOf
	id       string // of the container
	network  *os.File
	listener net.Listener
	ready    net.Conn
	proxy    *proxy
	served   chan struct{} // closed when the proxy has ended
}

// outletsOf is the directory of all outlets of a runtime.
func outletsOf(root string) string { return filepath.Join(root, "outlets") }

// outletMemory and outletPatience bound what an outlet takes.
const (
	outletMemory   = 128 << 20
	outletPatience = 30 * time.Second
)

// open makes the container, and serves until close.
func (o Outlet) open(ctx context.Context, e *Engine) (*outlet, error) {
	if err := RunsInContainers(o.Program); err != nil {
		return nil, err
	}
	owner, err := Owner(o.Root)
	if err != nil {
		return nil, err
	}
	if err := rememberEngine(o.Root, e.Host); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(outletsOf(o.Root), 0o700); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(outletsOf(o.Root), "")
	if err != nil {
		return nil, err
	}
	opened := &outlet{engine: e, dir: dir, proxy: newProxy(outsideOnly)}
	if err := opened.start(ctx, o, owner); err != nil {
		return nil, errors.Join(fmt.Errorf("open the build's way to the outside: %w", err), opened.close())
	}
	return opened, nil
}

func (o *outlet) start(ctx context.Context, plan Outlet, owner string) error {
	user := UserOf("", "build/"+filepath.Base(o.dir), nil, os.Getuid())
	socket := filepath.Join(o.dir, "proxy")
	var err error
	if o.listener, err = unixsock.Listen(socket); err != nil {
		return err
	}
	if os.Getuid() == 0 {
		if err := os.Chown(socket, user.UID, user.GID); err != nil {
			return err
		}
	}
	program, err := initProgram(o.dir, plan.Program)
	if err != nil {
		return err
	}
	made, err := o.engine.createContainer(ctx, plan.options(o.engine.Podman(), user, owner, filepath.Base(o.dir), program, socket))
	if err != nil {
		return err
	}
	o.id = made.ID
	if _, err := o.engine.api.ContainerStart(ctx, o.id, client.ContainerStartOptions{}); err != nil {
		return err
	}
	if err := o.awaitRelay(ctx); err != nil {
		return err
	}
	if err := o.openNetwork(ctx); err != nil {
		return err
	}
	o.served = make(chan struct{})
	go func() {
		defer close(o.served)
		o.proxy.serve(o.listener) // ends with close
	}()
	return nil
}

// options are those of an outlet's container: held as an instance is, and without any
// network but its own loopback.
func (o Outlet) options(podman bool, user User, owner, name, program, socket string) client.ContainerCreateOptions {
	options := recipe{
		name: "fairlead-" + owner[:8] + ".build." + name, labels: map[string]string{LabelOwner: owner},
		image: workload.Image{ID: o.Image}, user: user, workDir: "/", files: mostFiles(), threads: mostThreads(),
		limits: workload.Limits{Memory: outletMemory},
		mounts: []mount.Mount{bind(program, InsideInit, true), bind(socket, insideOutlet, false)},
	}.options(podman, nil)
	options.Config.Entrypoint = []string{InsideInit, RelayName}
	return options
}

// awaitRelay waits until the relay says that it is ready.
func (o *outlet) awaitRelay(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, outletPatience)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { o.listener.Close() })
	defer stop()
	var err error
	if o.ready, err = o.listener.Accept(); err != nil {
		return errors.Join(errors.New("its container does not run"), ctx.Err())
	}
	return nil
}

// openNetwork opens the network of the container for Podman, which is given a file that
// names it: one that stays the same when the container has ended and its number is
// another's.
func (o *outlet) openNetwork(ctx context.Context) error {
	if !o.engine.Podman() {
		return nil
	}
	found, err := o.engine.api.ContainerInspect(ctx, o.id, client.ContainerInspectOptions{})
	if err != nil {
		return err
	}
	r, err := begin(o.engine, found.Container)
	if err != nil {
		return err
	}
	defer r.close()
	o.network, err = os.Open(procPath(r.main.pid, "ns/net"))
	if err == nil && r.main.ended() {
		err = errNotRunning
	}
	return err
}

// reach is the network of a build that goes by the outlet, or, without one, by none.
func (o *outlet) reach(podman bool) buildNetwork {
	switch {
	case o == nil:
		return noNetwork(podman)
	case podman:
		return joining(fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), o.network.Fd()))
	}
	return buildNetwork{mode: "container:" + o.id}
}

// told are the lines that go with the log of the build.
func (o *outlet) told() string { return o.proxy.told() }

// close ends what is carried, and removes all that the outlet has.
func (o *outlet) close() error {
	var err error
	if o.id != "" { // before the relay ends by itself: Podman does not kill what is ending
		ctx, cancel := context.WithTimeout(context.Background(), outletPatience)
		defer cancel()
		err = o.engine.removeID(ctx, o.id)
	}
	o.proxy.close()
	if o.ready != nil {
		o.ready.Close()
	}
	if o.listener != nil {
		o.listener.Close()
	}
	if o.served != nil {
		<-o.served
	}
	if o.network != nil {
		o.network.Close()
	}
	return errors.Join(err, os.RemoveAll(o.dir))
}

// sweepOutlets removes the files of outlets that a process has left which ended before a
// time; their containers are swept with all others.
func sweepOutlets(root string, before time.Time) error {
	left, err := os.ReadDir(outletsOf(root))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, dir := range left {
		if info, gone := dir.Info(); gone == nil && info.ModTime().Before(before) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(outletsOf(root), dir.Name())))
		}
	}
	return err
}

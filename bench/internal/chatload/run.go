package chatload

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/wye-go/wye/bench/internal/child"
	"github.com/wye-go/wye/bench/internal/load"
)

// run is one run in progress.
type run struct {
	Config

	dir    string // with the program and the database
	addr   string
	chat   *child.Process // or the cluster of nodes
	nodes  *nodes         // nil: there is one process
	rows   []row          // what is stored, if there are nodes
	crowd  *crowd
	result Result
}

// Run does one run. If something does not add up, that is an error, and the result
// is there all the same.
func Run(ctx context.Context, cfg Config) (_ Result, err error) {
	if err := cfg.check(); err != nil {
		return Result{}, err
	}
	r := run{Config: cfg}
	if r.dir, err = os.MkdirTemp("", "chatload"); err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.dir)) }()
	if err := r.start(ctx); err != nil {
		return Result{}, err
	}
	r.crowd = newCrowd(&r.Config, r.addr)
	err = r.meet(ctx)
	return r.result, errors.Join(err, r.audit(ctx))
}

func (r *run) database() string { return filepath.Join(r.dir, "chat.db") }

func (r *run) tellf(format string, args ...any) { fmt.Fprintf(r.Progress, format+"\n", args...) }

// start builds and starts the chat.
func (r *run) start(ctx context.Context) (err error) {
	program := filepath.Join(r.dir, "chat.exe")
	var more []string
	if r.Race {
		more = append(more, "-race")
	}
	r.tellf("building the chat")
	if err := child.Build(ctx, filepath.Join(r.Dir, "..", "examples"), "./chat", program, more...); err != nil {
		return err
	}
	if r.Nodes > 0 {
		return r.startNodes(ctx, program)
	}
	if r.addr, err = child.FreeAddr(ctx); err != nil {
		return err
	}
	if r.chat, err = child.Start(ctx, nil, program, "-addr", r.addr, "-db", r.database(), "-proxies", "127.0.0.1"); err != nil {
		return err
	}
	if err := r.chat.Ready(ctx, r.addr); err != nil {
		return errors.Join(err, r.chat.Stop(true))
	}
	return nil
}

// meet has everybody come in, talk, and wait until all has been heard. Then the chat
// ends.
func (r *run) meet(ctx context.Context) (err error) {
	ctx, fail := context.WithCancelCause(ctx)
	var all sync.WaitGroup
	defer func() {
		fail(nil)
		r.crowd.close()
		all.Wait()
		http.DefaultClient.CloseIdleConnections()
	}()
	context.AfterFunc(ctx, r.crowd.close)
	all.Go(func() {
		select {
		case <-r.chat.Ended():
			if !r.crowd.ending.Load() {
				fail(errors.New("the chat has ended by itself"))
			}
		case <-ctx.Done():
		}
	})
	if err := r.open(ctx, &all, fail); err != nil {
		return errors.Join(err, r.chat.Stop(true))
	}
	err = r.measure(ctx)
	r.crowd.ending.Store(true)
	asked := time.Now()
	patient := grace
	if r.nodes != nil {
		patient += time.Duration(r.Nodes) * grace // one after the other
	}
	err = errors.Join(err, r.chat.End(patient))
	r.result.Ending = time.Since(asked)
	if err != nil {
		return err
	}
	all.Wait()
	return context.Cause(ctx)
}

// open gives names, and has everybody come in.
func (r *run) open(ctx context.Context, all *sync.WaitGroup, fail context.CancelCauseFunc) error {
	r.tellf("%d people choose a name", r.Named)
	if err := r.name(ctx); err != nil {
		return err
	}
	before, err := r.server()
	if err != nil {
		return err
	}
	r.tellf("%d people go to %d rooms", r.People, r.Rooms)
	began := time.Now()
	if err := r.crowd.enter(ctx, all, fail); err != nil {
		return err
	}
	took := time.Since(began)
	after, err := r.server()
	r.result.Entry = Entry{Took: took, Server: after.Since(before), Bytes: (after.RSS - before.RSS) / int64(r.People)}
	return err
}

// measure has everybody talk, and waits until all has been acknowledged and heard.
func (r *run) measure(ctx context.Context) error {
	server, client, err := r.usages()
	if err != nil {
		return err
	}
	each, err := r.each()
	if err != nil {
		return err
	}
	r.tellf("they talk for %v", r.Duration)
	killing := r.killHalfway(ctx)
	r.crowd.talk(ctx)
	if err := <-killing; err != nil {
		return err
	}
	if err := until(ctx, func() bool { return r.crowd.owed.Load() == 0 }); err != nil {
		return fmt.Errorf("%d messages have not been acknowledged: %w", r.crowd.owed.Load(), err)
	}
	rows, err := r.stored(ctx)
	if err != nil {
		return err
	}
	due := r.crowd.due(rows)
	if err := until(ctx, func() bool { return r.crowd.missing(due) == 0 }); err != nil {
		return fmt.Errorf("%d messages have not been received: %w", r.crowd.missing(due), err)
	}
	server2, client2, err := r.usages()
	if err != nil {
		return err
	}
	r.result.Server, r.result.Client = server2.Since(server), client2.Since(client)
	each2, err := r.each()
	r.result.Each = make(map[string]load.Process)
	for name, p := range each2 {
		r.result.Each[name] = p.Since(each[name])
	}
	return err
}

// name gives names to those who are to have one.
func (r *run) name(ctx context.Context) error {
	if r.nodes != nil {
		return r.nodes.introduce(ctx, r.crowd.people)
	}
	return r.crowd.name(ctx)
}

// killHalfway kills one of several nodes when half of the time is over. The channel gets
// what came of it.
func (r *run) killHalfway(ctx context.Context) <-chan error {
	killing := make(chan error, 1)
	if r.Nodes < 2 {
		killing <- nil
		return killing
	}
	go func() {
		if !wait(ctx, r.Duration/2) {
			killing <- nil
			return
		}
		r.tellf("%s is killed", victim)
		r.crowd.mu.Lock()
		r.crowd.killed = r.crowd.now()
		r.crowd.mu.Unlock()
		killing <- r.nodes.kill()
	}()
	return killing
}

// each reads what each of several processes has used so far.
func (r *run) each() (map[string]load.Process, error) {
	if r.nodes == nil {
		return nil, nil //nolint:nilnil // there is only one
	}
	return r.nodes.usages()
}

// server reads what the chat has used so far: all of its nodes.
func (r *run) server() (sum load.Process, err error) {
	if r.nodes == nil {
		return load.ReadProcess(r.chat.PID())
	}
	each, err := r.nodes.usages()
	for name, p := range each {
		if strings.HasPrefix(name, "node-") {
			sum = sum.Plus(p)
		}
	}
	return sum, err
}

// stored reads what is stored. Of several nodes, it is kept until the audit, when their
// database has ended.
func (r *run) stored(ctx context.Context) (rows []row, err error) {
	if r.nodes == nil {
		return readRows(ctx, "sqlite", r.database())
	}
	if r.rows, err = readRows(ctx, "pgx", r.nodes.database); err != nil {
		return nil, err
	}
	r.result.Database, err = r.nodes.size(ctx)
	return r.rows, err
}

// usages reads what the chat and this process have used so far.
func (r *run) usages() (server, client load.Process, err error) {
	if server, err = r.server(); err != nil {
		return server, client, err
	}
	client, err = load.ReadProcess(os.Getpid())
	return server, client, err
}

// audit holds what is stored against what people know.
func (r *run) audit(ctx context.Context) error {
	rows := r.rows
	if r.nodes == nil {
		var err error
		if rows, err = r.stored(ctx); err != nil {
			return err
		}
		file, err := os.Stat(r.database())
		if err != nil {
			return err
		}
		r.result.Database = file.Size()
	}
	records := r.crowd.records()
	count(&r.result, r.crowd, records, rows)
	return audit(records, rows)
}

package chatload

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gobwas/ws"
	"github.com/gorilla/securecookie"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver

	"github.com/wye-go/wye/bench/internal/child"
	"github.com/wye-go/wye/bench/internal/load"
)

// victim is the node that is killed halfway.
const victim = "node-1"

// nodes is several nodes of the chat, with all that they need, in processes that the
// program in examples/chat/cluster has started.
type nodes struct {
	file     string // its output: which process is where
	database string
	dead     map[string]load.Process // what killed processes have used
}

// startNodes starts the nodes and returns when all accept.
func (r *run) startNodes(ctx context.Context, program string) (err error) {
	cluster := filepath.Join(r.dir, "cluster.exe")
	if err := child.Build(ctx, filepath.Join(r.Dir, "..", "examples"), "./chat/cluster", cluster); err != nil {
		return err
	}
	r.nodes = &nodes{file: filepath.Join(r.dir, "cluster.out"), dead: make(map[string]load.Process)}
	r.tellf("starting %d nodes", r.Nodes)
	if r.chat, err = child.StartWith(ctx, []string{"CLUSTER_OUT=" + r.nodes.file}, nil,
		"sh", "-c", `exec "$0" "$@" >"$CLUSTER_OUT"`, cluster, "-nodes", strconv.Itoa(r.Nodes), "-chat", program); err != nil {
		return err
	}
	if err := until(ctx, func() bool { return r.nodes.at("open") != "" || r.ended() }); err != nil || r.ended() {
		return errors.Join(err, r.chat.Stop(true))
	}
	front, err := url.Parse(r.nodes.at("nginx"))
	if err != nil {
		return errors.Join(err, r.chat.Stop(true))
	}
	r.addr, r.nodes.database = front.Host, r.nodes.at("postgres")
	return nil
}

func (r *run) ended() bool {
	select {
	case <-r.chat.Ended():
		return true
	default:
		return false
	}
}

// lines are those that the cluster has written: a name, a URL, "pid" and a number.
func (n *nodes) lines() (all [][]string) {
	b, err := os.ReadFile(n.file)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(b)) {
		if strings.HasSuffix(line, "\n") {
			all = append(all, strings.Fields(line))
		}
	}
	return all
}

// at is the URL of a process, or "".
func (n *nodes) at(name string) string {
	for _, f := range n.lines() {
		if f[0] == name && len(f) > 1 {
			return f[1]
		}
	}
	return ""
}

// pids are the processes that run.
func (n *nodes) pids() map[string]int {
	all := make(map[string]int)
	for _, f := range n.lines() {
		if len(f) == 4 && f[2] == "pid" {
			all[f[0]], _ = strconv.Atoi(f[3]) //nolint:errcheck // the cluster has written a number
		} else if len(f) > 2 && f[2] == "ended" {
			delete(all, f[0])
		}
	}
	return all
}

// usages reads what each process has used so far. That of PostgreSQL is in many processes,
// and left out.
func (n *nodes) usages() (map[string]load.Process, error) {
	all := maps.Clone(n.dead)
	for name, pid := range n.pids() {
		if name == "postgres" {
			continue
		}
		p, err := load.ReadProcess(pid)
		if err != nil {
			return nil, err
		}
		all[name] = p.Plus(all[name])
	}
	return all, nil
}

// kill kills one node, and notes what it has used.
func (n *nodes) kill() error {
	pid := n.pids()[victim]
	p, err := load.ReadProcess(pid)
	if err != nil {
		return err
	}
	p.RSS, p.Peak = 0, 0
	n.dead[victim] = p
	process, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return process.Kill()
}

// introduce makes everybody somebody with a name, faster than the chat would: it writes the
// rows, and signs the cookies with the chat's key.
func (n *nodes) introduce(ctx context.Context, people []*person) error {
	db, err := sql.Open("pgx", n.database)
	if err != nil {
		return err
	}
	defer db.Close()
	var secret []byte
	if err := db.QueryRowContext(ctx, `SELECT value FROM secrets WHERE name = 'cookie'`).Scan(&secret); err != nil {
		return err
	}
	signer := securecookie.New(secret, nil).SetSerializer(securecookie.JSONEncoder{})
	for _, p := range people {
		me := who{ID: fmt.Sprintf("person-%d", p.number), Name: fmt.Sprintf("Person %d", p.number)}
		if _, err := db.ExecContext(ctx, `INSERT INTO people (id, name, same, since) VALUES ($1, $2, $1, 0)`, me.ID, me.Name); err != nil {
			return err
		}
		value, err := signer.Encode("wye-chat", me)
		if err != nil {
			return err
		}
		p.cookie = "wye-chat=" + value
	}
	return nil
}

// size is that of the database, in bytes.
func (n *nodes) size(ctx context.Context) (size int64, err error) {
	db, err := sql.Open("pgx", n.database)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	err = db.QueryRowContext(ctx, `SELECT pg_database_size(current_database())`).Scan(&size)
	return size, err
}

// tryAgainLater is the close code of a chat that is over a limit or not complete.
const tryAgainLater ws.StatusCode = 1013

// lost is a connection that has ended, or could not be opened: with several nodes, one
// comes back.
type lost struct{ error }

func (l lost) Unwrap() error { return l.error }

// The pauses before one comes back, as in the page's backoff.js and connection.js.
const (
	firstPause, longestPause = 500 * time.Millisecond, 30 * time.Second
	fullPause                = 5 * time.Second
	steady                   = 10 * time.Second
)

// backoff returns how long to wait before the next attempt, after a connection that was
// open since a time, or was not opened.
func (p *person) backoff(opened time.Duration, err error) time.Duration {
	if p.limit == 0 || opened > 0 && p.crowd.now()-opened > steady {
		p.limit = firstPause
	}
	pause := rand.N(p.limit)
	p.limit = min(2*p.limit, longestPause)
	if end := (closed{}); errors.As(err, &end) && end.code == tryAgainLater {
		pause += fullPause
	}
	return pause
}

// comeback notes that somebody whose connection was lost has been welcomed again.
func (c *crowd) comeback() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.returns = append(c.returns, c.now())
}

// Comeback is how people came back from a node that was killed.
type Comeback struct {
	// Lost is how many connections were lost, and Busiest the most that came back within
	// one second.
	Lost, Busiest int
	// Last is from the kill to the last of those that came back within ten seconds.
	Last time.Duration
}

// comebacks summarizes returns.
func (c *crowd) comebacks() (b Comeback) {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.returns)
	b.Lost = len(c.returns)
	for i, at := range c.returns {
		j, _ := slices.BinarySearch(c.returns, at+time.Second)
		b.Busiest = max(b.Busiest, j-i)
		if since := at - c.killed; since > 0 && since < 10*time.Second {
			b.Last = since
		}
	}
	return b
}

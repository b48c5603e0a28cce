package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// find returns the path of a program, also where Debian has those that are not in PATH.
func find(program, debianPackage string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/", "/usr/sbin/"} {
		if found, err := filepath.Glob(pattern + program); err == nil && len(found) > 0 {
			return found[len(found)-1], nil
		}
	}
	return "", fmt.Errorf("%s is not installed; install it (Debian: apt-get install %s)", program, debianPackage)
}

// startPostgres creates a database named chat, and returns its URL. PostgreSQL refuses to
// run as root: then another user runs it.
func (c *cluster) startPostgres(ctx context.Context) (url string, err error) {
	initdb, err := find("initdb", "postgresql")
	if err != nil {
		return "", err
	}
	if initdb, err = filepath.EvalSymlinks(initdb); err != nil { // its folder has the other programs
		return "", err
	}
	owner, err := unprivileged()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "chat-postgres") // c.dir is closed to the other user
	if err != nil {
		return "", err
	}
	c.folders = append(c.folders, dir)
	addr, err := freeAddr()
	if err != nil {
		return "", err
	}
	password, secret := rand.Text(), filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte(password), 0o600); err != nil {
		return "", err
	}
	for _, path := range []string{dir, secret} {
		if err := owner.own(path); err != nil {
			return "", err
		}
	}
	data := filepath.Join(dir, "data")
	create := exec.CommandContext(ctx, initdb, "-D", data, "-U", "chat", "--pwfile", secret, //nolint:gosec // found above
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync")
	create.Dir, create.SysProcAttr = dir, owner.attributes()
	if out, err := create.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb failed: %w\n%s", err, out)
	}
	_, port, _ := net.SplitHostPort(addr) //nolint:errcheck // freeAddr has made it
	s := &service{
		name: "postgres", url: "postgres://chat:" + password + "@" + addr + "/postgres", addr: addr, user: owner,
		stop:  syscall.SIGINT, // disconnects its clients
		probe: []string{filepath.Join(filepath.Dir(initdb), "pg_isready"), "-q", "-h", "127.0.0.1", "-p", port},
		command: []string{filepath.Join(filepath.Dir(initdb), "postgres"), "-D", data, "-h", "127.0.0.1", "-p", port,
			"-c", "unix_socket_directories=", "-c", fmt.Sprintf("fsync=%t", c.durable)},
	}
	return s.url, c.launch(ctx, s)
}

// startRedis starts a Redis that stores nothing on the disk, and returns its URL.
func (c *cluster) startRedis(ctx context.Context) (url string, err error) {
	program, err := find("redis-server", "redis-server")
	if err != nil {
		return "", err
	}
	addr, err := freeAddr()
	if err != nil {
		return "", err
	}
	_, port, _ := net.SplitHostPort(addr) //nolint:errcheck // freeAddr has made it
	s := &service{
		name: "redis", url: "redis://" + addr, addr: addr, stop: syscall.SIGTERM,
		command: []string{program, "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", c.dir},
	}
	return s.url, c.launch(ctx, s)
}

// nginxConfig passes a connection on to the node that has the fewest. If that does not
// accept, it gets none for two seconds, and the connection goes to another node. It does
// not matter which node a browser is at, so nothing is sticky. docs/deployment.md explains
// the rest.
const nginxConfig = `daemon off; master_process off; pid DIR/nginx.pid; error_log stderr; worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http {
	access_log off;
	client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi;
	uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
	map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
	upstream chat {
		least_conn; # a WebSocket connection lasts: a node that has come back gets the next ones
		NODES
	}
	server {
		listen ADDR backlog=4096;
		location / {
			proxy_pass http://chat;
			proxy_http_version 1.1;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection $connection_upgrade;
			proxy_set_header Host $http_host;
			proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
			proxy_set_header X-Forwarded-Proto $scheme;
			proxy_set_header Forwarded "";
			proxy_connect_timeout 2s;
			proxy_read_timeout 60s;
			proxy_send_timeout 60s;
		}
	}
}
`

// startNginx starts nginx in front of the nodes, and returns its URL.
func (c *cluster) startNginx(ctx context.Context, nodes []string) (url string, err error) {
	program, err := find("nginx", "nginx")
	if err != nil {
		return "", err
	}
	addr, err := freeAddr()
	if err != nil {
		return "", err
	}
	var upstream []string
	for _, node := range nodes {
		upstream = append(upstream, "server "+node+" fail_timeout=2s;")
	}
	config := strings.NewReplacer("DIR", c.dir, "ADDR", addr, "NODES", strings.Join(upstream, "\n\t\t")).Replace(nginxConfig)
	file := filepath.Join(c.dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return "", err
	}
	s := &service{
		name: "nginx", url: "http://" + addr + "/", addr: addr, stop: syscall.SIGTERM,
		command: []string{program, "-p", c.dir, "-c", file, "-e", "stderr"},
	}
	return s.url, c.launch(ctx, s)
}

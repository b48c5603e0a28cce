package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// project is the Django project.
//
//go:embed all:mysite
var project embed.FS

// findModules prints the Debian packages of the modules that Python does not find.
const findModules = `
import importlib.util
packages = {"django": "python3-django", "channels": "python3-django-channels",
            "channels_redis": "python3-channels-redis", "uvicorn": "python3-uvicorn"}
print(*(p for m, p in packages.items() if importlib.util.find_spec(m) is None))
`

// checkPackages returns an error with the names of the packages that are missing.
func checkPackages(ctx context.Context, c config) error {
	out, err := exec.CommandContext(ctx, c.python, "-c", findModules).Output() //nolint:gosec // the flag -python says what to run
	if err != nil {
		return fmt.Errorf("%s does not run (%w); on Debian: apt-get install python3-django python3-django-channels "+
			"python3-channels-redis python3-uvicorn redis-server", c.python, err)
	}
	missing := strings.Fields(string(out))
	if _, err := exec.LookPath("redis-server"); err != nil && c.redis == "" {
		missing = append(missing, "redis-server")
	}
	if len(missing) > 0 {
		return fmt.Errorf("these packages are missing; on Debian: apt-get install %s", strings.Join(missing, " "))
	}
	return nil
}

// startRedis starts a Redis server, unless there is one, and returns its URL.
func startRedis(ctx context.Context, all *services, c config, dir string) (string, error) {
	if c.redis != "" {
		return c.redis, nil
	}
	port, err := freePort(ctx)
	if err != nil {
		return "", err
	}
	redis := service{name: "redis", addr: loopback + ":" + port, dir: dir, quiet: true, command: []string{
		"redis-server", "--bind", loopback, "--port", port, "--appendonly", "no",
	}}
	return "redis://" + redis.addr, all.start(ctx, redis)
}

// startDjango makes the database and starts Django, and returns its URL.
func startDjango(ctx context.Context, all *services, c config, dir string, env ...string) (*url.URL, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(project, "mysite")
	if err != nil {
		return nil, err
	}
	site := filepath.Join(dir, "mysite")
	if err := os.CopyFS(site, files); err != nil {
		return nil, err
	}
	django := service{name: "django", addr: loopback + ":" + port, dir: site, env: append(env, "PYTHONUNBUFFERED=1")}
	django.command = []string{c.python, "manage.py", "prepare"}
	if err := django.run(ctx); err != nil {
		return nil, fmt.Errorf("making Django's database: %w", err)
	}
	django.command = []string{
		c.python, "-m", "uvicorn", "mysite.asgi:application", "--host", loopback, "--port", port,
		"--lifespan", "off", "--log-level", "warning",
	}
	return &url.URL{Scheme: "http", Host: django.addr}, all.start(ctx, django)
}

const loopback = "127.0.0.1"

// freePort returns a port of this machine on which nothing listens.
func freePort(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", loopback+":0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

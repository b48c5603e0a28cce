package redis

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// address is what a URL says. Its fields, other than host names, may be secret.
type address struct {
	form

	hosts    []string // host:port, of Sentinels or of nodes of a cluster if they are named; or the path of a socket
	master   string   // the name by which Sentinels know the master
	db       int
	user     login
	sentinel login // of Sentinels
	query    url.Values
	problems []error
}

// form is what a scheme stands for.
type form struct {
	tls, socket, sentinels, cluster bool
}

// login is how a connection authenticates itself.
type login struct {
	set            bool
	user, password string
}

//nolint:gochecknoglobals // a table
var forms = map[string]form{
	"redis":           {},
	"rediss":          {tls: true},
	"unix":            {socket: true},
	"redis+sentinel":  {sentinels: true},
	"rediss+sentinel": {sentinels: true, tls: true},
	"redis+cluster":   {cluster: true},
	"rediss+cluster":  {cluster: true, tls: true},
}

const (
	redisPort    = "6379"
	sentinelPort = "26379"
)

// parseURL parses a URL. The error has all that is wrong with it, and no part of it that may
// be a secret.
func parseURL(raw string) (*address, error) {
	scheme, rest, hasScheme := strings.Cut(raw, "://")
	f, known := forms[strings.ToLower(scheme)]
	if !hasScheme || !known {
		return nil, errors.New("its scheme is unknown; write redis://HOST:PORT, rediss://HOST:PORT, unix:///PATH, " +
			"redis+sentinel://HOST:PORT,HOST:PORT/MASTER or redis+cluster://HOST:PORT,HOST:PORT; for Core, set Options.Backend, " +
			"or give OptionsFor a scheme that ends with +core, such as redis+core://HOST:PORT")
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, path, hasPath := strings.Cut(rest, "/")
	at := strings.LastIndexByte(authority, '@')
	if strings.ContainsRune(raw, '#') || authority != "" && at < 0 && strings.ContainsRune(path+query, '@') {
		return nil, errors.New("it cannot be understood; write the characters / ? # @ % of a user or password as %2F %3F %23 %40 %25")
	}
	a := &address{form: f}
	a.parseQuery(query)
	if at >= 0 {
		user, password, _ := strings.Cut(authority[:at], ":")
		a.user = login{true, a.unescape(user), a.unescape(password)}
	}
	switch hosts := authority[at+1:]; {
	case a.socket:
		a.parseSocket(hosts, path, hasPath)
	case a.sentinels:
		a.parseSentinels(hosts, path)
	case a.cluster:
		a.parseCluster(hosts, path)
	default:
		a.parseServer(hosts, path)
	}
	a.parseLogins()
	return a, errors.Join(a.problems...)
}

func (a *address) notef(format string, args ...any) {
	a.problems = append(a.problems, fmt.Errorf(format, args...))
}

func (a *address) unescape(s string) string {
	plain, err := url.PathUnescape(s)
	if err != nil {
		a.notef("a %% in it is not followed by two hexadecimal digits; write the character %% as %%25")
	}
	return plain
}

// parameters are those that a URL may have; the last two, only with Sentinel.
//
//nolint:gochecknoglobals // a list
var parameters = []string{"db", "username", "password", "sentinel_username", "sentinel_password"}

func (a *address) parseQuery(query string) {
	var err error
	if a.query, err = url.ParseQuery(query); err != nil {
		a.notef("what follows the ? cannot be understood; write it as name=value&name=value, and special characters in values " +
			"as %% and two hexadecimal digits")
		a.query = nil
		return
	}
	allowed := parameters[:3]
	if a.sentinels {
		allowed = parameters
	}
	secret := a.query.Has("password") || a.query.Has("sentinel_password")
	for name, values := range a.query {
		switch {
		case slices.Contains(allowed, name):
			if len(values) > 1 {
				a.notef("the parameter %s occurs %d times; write it once", name, len(values))
			}
		case secret: // it may be a part of the password
			a.notef("a parameter is unknown; the parameters are %s. If it is a part of the password, write & as %%26", strings.Join(allowed, ", "))
		case strings.HasPrefix(name, "ssl_"):
			a.notef("the parameter %q is not supported; set Options.TLS instead", cut(name))
		default:
			a.notef("the parameter %q is unknown; the parameters are %s", cut(name), strings.Join(allowed, ", "))
		}
	}
}

// cut returns the beginning of a text for an error.
func cut(s string) string { return s[:min(len(s), 40)] }

// parseLogins adds what the parameters say about users and passwords.
func (a *address) parseLogins() {
	a.parseLogin(&a.user, "username", "password")
	a.parseLogin(&a.sentinel, "sentinel_username", "sentinel_password")
}

func (a *address) parseLogin(l *login, userName, passwordName string) {
	user, password := a.query.Get(userName), a.query.Get(passwordName)
	if !a.query.Has(userName) && !a.query.Has(passwordName) {
		return
	}
	if l.set {
		a.notef("a user or password is before the @ and in the parameters; remove one of them")
		return
	}
	*l = login{true, user, password}
}

// parseSocket parses the path of a Unix socket.
func (a *address) parseSocket(host, path string, hasPath bool) {
	if host != "" || !hasPath || path == "" {
		a.notef("it has no absolute path; write unix:///PATH, with three slashes")
	}
	a.hosts = []string{"/" + a.unescape(path)}
	a.parseDB("")
}

// parseServer parses the host and database of one server.
func (a *address) parseServer(host, path string) {
	if strings.ContainsRune(host, ',') {
		a.notef("it names several hosts; write one URL for each server, redis+sentinel://HOST:PORT,HOST:PORT/MASTER for Sentinels, " +
			"or redis+cluster://HOST:PORT,HOST:PORT for a cluster")
		return
	}
	a.addHost(host, redisPort)
	a.parseDB(path)
}

// parseSentinels parses the hosts of Sentinels, the name of the master, and the database.
func (a *address) parseSentinels(hosts, path string) {
	for host := range strings.SplitSeq(hosts, ",") {
		if host == "" {
			a.notef("the host of a Sentinel is empty; write redis+sentinel://HOST:PORT,HOST:PORT/MASTER")
			continue
		}
		a.addHost(host, sentinelPort)
	}
	master, db, _ := strings.Cut(path, "/")
	if a.master = a.unescape(master); a.master == "" {
		a.notef("it does not name the master; write redis+sentinel://HOST:PORT/MASTER, with the name that is in sentinel.conf")
	}
	a.parseDB(db)
}

// parseCluster parses the hosts of nodes of a cluster.
func (a *address) parseCluster(hosts, path string) {
	for host := range strings.SplitSeq(hosts, ",") {
		if host == "" && hosts != "" {
			a.notef("the host of a node is empty; write redis+cluster://HOST:PORT,HOST:PORT")
			continue
		}
		a.addHost(host, redisPort)
	}
	a.parseDB(path)
	if a.db != 0 {
		a.notef("it names the database %d, and a cluster has only the database 0; remove the number", a.db)
	}
}

// addHost adds a host, with a port if it has none.
func (a *address) addHost(text, defaultPort string) {
	host, port := text, defaultPort
	if end := strings.LastIndexByte(text, ']'); strings.LastIndexByte(text, ':') > end {
		var err error
		if host, port, err = net.SplitHostPort(text); err != nil {
			a.notef("a host cannot be understood; write HOST:PORT, or [HOST]:PORT for an address of IPv6")
			return
		}
	} else if end >= 0 {
		host = strings.Trim(text, "[]")
	}
	if host = a.unescape(host); host == "" {
		host = "localhost"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		a.notef("a port is not a number from 1 to 65535")
		return
	}
	if strings.ContainsAny(host, " /\\?#@[]") {
		a.notef("a host name has a character that no host name has")
		return
	}
	addr := net.JoinHostPort(host, port)
	if slices.Contains(a.hosts, addr) {
		a.notef("it names the host %s twice; remove one", addr)
	}
	a.hosts = append(a.hosts, addr)
}

// parseDB parses the number of the database, which may be in the path and in a parameter.
func (a *address) parseDB(path string) {
	numbers := make([]int, 0, 2)
	for _, text := range []string{strings.TrimSuffix(path, "/"), a.query.Get("db")} {
		if text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			a.notef("the database is not a number from 0 on; write it behind the host, redis://HOST:PORT/1, or as ?db=1")
			return
		}
		numbers = append(numbers, int(n))
	}
	switch {
	case len(numbers) == 2 && numbers[0] != numbers[1]:
		a.notef("the path and the parameter db name different databases; remove one of them")
	case len(numbers) > 0:
		a.db = numbers[0]
	}
}

// name returns the URL without user, password and parameters, for logs and errors.
func (a *address) name() string {
	if a.socket {
		return "unix://" + strings.Join(a.hosts, ",") + a.dbSuffix("?db=")
	}
	scheme := "redis"
	if a.tls {
		scheme = "rediss"
	}
	hosts := strings.Join(a.hosts, ",")
	if a.sentinels {
		return scheme + "+sentinel://" + hosts + "/" + a.master + a.dbSuffix("/")
	}
	if a.cluster {
		return scheme + "+cluster://" + hosts
	}
	return scheme + "://" + hosts + a.dbSuffix("/")
}

func (a *address) dbSuffix(before string) string {
	if a.db == 0 {
		return ""
	}
	return before + strconv.Itoa(a.db)
}

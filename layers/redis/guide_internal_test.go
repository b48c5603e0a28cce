package redis

import (
	"os"
	"strings"
	"testing"
)

// TestGuideHasTheACL: the permissions in docs/redis.md are those that the driver asks for.
func TestGuideHasTheACL(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/redis.md")
	if err != nil {
		t.Fatal(err)
	}
	d := New(Options{})
	if d.settings, err = d.options.check(); err != nil {
		t.Fatal(err)
	}
	d.transport = d.newTransport()
	if want := "ACL SETUSER wye on >PASSWORD " + newServer(d, &d.settings.targets[0]).acl() + "\n"; !strings.Contains(string(guide), want) {
		t.Errorf("docs/redis.md does not have the line %q", want)
	}
}

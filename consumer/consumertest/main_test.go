package consumertest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/wye-go/wye/consumer"
	"github.com/wye-go/wye/internal/testkit"
	"github.com/wye-go/wye/protocol"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// T stands in for a *testing.T, which an example does not have.
type T = testkit.Fake

// result returns the failures of a test in an example.
func result(test func(t *T)) string {
	failures, _ := testkit.Try(context.Background(), test)
	return failures
}

// obey does what a message says: "text: hello" sends the text hello, "close" closes, and
// so on.
func obey(ctx context.Context, c *consumer.Conn, m consumer.Message) error {
	switch verb, rest, _ := strings.Cut(m.Text(), ": "); verb {
	case "text":
		return c.SendText(ctx, rest)
	case "binary":
		return c.Send(ctx, consumer.Message{Kind: 1, Data: []byte(rest)})
	case "prepared":
		return c.SendPrepared(ctx, protocol.Prepare(protocol.Text(rest)))
	case "close":
		c.Close(4001, rest)
	case "fail":
		return fmt.Errorf("told to %s", rest)
	case "block":
		<-ctx.Done()
	}
	return nil
}

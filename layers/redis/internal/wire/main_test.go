package wire

import (
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

package matrix_test

import (
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/wye-go/wye/internal/testkit"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode) // it prints every route otherwise
	testkit.Main(m)
}

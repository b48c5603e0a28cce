package layers_test

import (
	"fmt"
	"strings"

	"github.com/wye-go/wye/layers"
)

// Names of groups for what people have typed.
func ExampleGroupName() {
	fmt.Println(layers.GroupName("room", "lobby"))
	fmt.Println(layers.GroupName("room", "caf\u00e9"))
	fmt.Println(layers.GroupName("user", "ann@example.com"))
	fmt.Println(layers.GroupName("page", "https://example.com/"+strings.Repeat("x", 100)))
	// Output:
	// room.lobby
	// room.caf_c3_a9.
	// user.ann_40example.com.
	// page.34c82665e9286ecc96dca07cc3fcf0d7f834f7c2fb136532a6ff2f06176aeba7_.
}

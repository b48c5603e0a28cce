// Package redistest starts real processes of redis-server or valkey-server, for tests of all
// Wye modules and for the programs of bench and examples: on free ports of the loopback
// interface, with replicas and Sentinel, as a cluster, with a password, access rules or TLS. A
// test can stop, kill, freeze and restart them.
//
// A server keeps its files in a temporary folder and stores no data there unless its Config
// says so. It ends with the test, and, on Linux, with the process that has started it, also
// if that process is killed.
//
// Tests call [New], [NewSentinel] and [NewCluster]. Programs, and TestMain, call [Start],
// [StartSentinel] and [StartCluster], and Close at their end:
//
//	func TestMain(m *testing.M) {
//		shared = redistest.Must(redistest.Options{})
//		testkit.Main(m, shared.Close)
//	}
package redistest

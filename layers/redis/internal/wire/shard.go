package wire

import "hash/crc32"

// ring is how many values the hash of channels_redis has.
const ring = 4096

// Shard returns which of n servers has the group, channel or key of this name, as
// channels_redis computes it.
func Shard(name string, n int) int {
	if n == 1 {
		return 0
	}
	hash := crc32.ChecksumIEEE([]byte(name)) & (ring - 1)
	// channels_redis divides floating-point numbers, whose rounding counts.
	return int(float64(hash) / (ring / float64(n)))
}

// Package guide has the code of docs/redis.md, as a test.
package guide

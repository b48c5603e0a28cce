// Package wye
package wye

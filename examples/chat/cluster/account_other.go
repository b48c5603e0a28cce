//go:build !unix

package main

import "syscall"

// account is a user of this machine: the current one.
type account struct{}

func unprivileged() (account, error) { return account{}, nil }

func (account) own(string) error { return nil }

func (account) attributes() *syscall.SysProcAttr { return nil }

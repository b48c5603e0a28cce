//go:build unix

package main

import (
	"errors"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// account is a user of this machine. The zero value is the current one.
type account struct{ credential *syscall.Credential }

// unprivileged returns the current user, or one without rights if that is root.
func unprivileged() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		who, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(who.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(who.Gid, 10, 32)
		return account{&syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, errors.Join(errUID, errGID)
	}
	return account{}, errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody; start this as another user")
}

// own gives a file to the user.
func (a account) own(path string) error {
	if a.credential == nil {
		return nil
	}
	return os.Chown(path, int(a.credential.Uid), int(a.credential.Gid))
}

// attributes are those of a process of the user: it does not get Ctrl-C, and ends with
// its parent where the system can do that.
func (a account) attributes() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setpgid: true, Credential: a.credential}
	endWithParent(attributes)
	return attributes
}

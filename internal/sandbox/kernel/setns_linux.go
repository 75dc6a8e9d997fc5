//go:build !amd64

package kernel

import "syscall"

const sysSetns = syscall.SYS_SETNS

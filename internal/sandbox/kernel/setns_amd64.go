package kernel

const sysSetns = 308 // which package syscall does not have for this processor

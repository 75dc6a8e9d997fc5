#include "textflag.h"

// func compatGetpid() int32
//
// getpid is 20 in the table of 32 bit, which the interrupt 0x80 uses.
TEXT ·compatGetpid(SB), NOSPLIT, $0-4
	MOVL $20, AX
	INT  $0x80
	MOVL AX, ret+0(FP)
	RET

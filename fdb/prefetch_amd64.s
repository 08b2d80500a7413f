#include "textflag.h"

// func prefetch(base *bucket, index *uint32, n int)
TEXT ·prefetch(SB), NOSPLIT, $0-24
	MOVQ base+0(FP), AX
	MOVQ index+8(FP), BX
	MOVQ n+16(FP), CX
	JMP  check

next:
	MOVL (BX), DX
	SHLQ $6, DX
	PREFETCHT0 (AX)(DX*1)
	ADDQ $4, BX
	DECQ CX

check:
	TESTQ CX, CX
	JNZ   next
	RET

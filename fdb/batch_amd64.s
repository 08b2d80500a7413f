//go:build !race

#include "go_asm.h"
#include "textflag.h"

// func askFast(t *Table, keys *Key, home **bucket, n int)
//
// The pointers go to the caller's stack, which needs no write barrier.
TEXT ·askFast(SB), NOSPLIT, $0-32
	MOVQ t+0(FP), DI
	MOVQ keys+8(FP), SI
	MOVQ home+16(FP), R8
	MOVQ n+24(FP), R9
	LEAQ (SI)(R9*8), SI
	LEAQ (R8)(R9*8), R8
	NEGQ R9
	MOVQ Table_buckets(DI), R10
	MOVQ (Table_seed+8)(DI), R11
	MOVQ (Table_seed+16)(DI), R12
	MOVQ (Table_seed+24)(DI), R13
	MOVQ Table_shardBits(DI), CX

next:
	// hash
	MOVQ  (SI)(R9*8), DX
	XORQ  Table_seed(DI), DX
	MULXQ R11, AX, DX
	XORQ  R12, AX
	XORQ  R13, DX
	MULXQ AX, AX, DX
	XORQ  AX, DX

	// shard BX, position DX, home bucket AX
	MOVQ  Table_shardMask(DI), BX
	ANDQ  DX, BX
	SHRQ  $32, DX
	MOVQ  Table_geo(DI)(BX*8), AX
	MOVL  AX, R15
	SHRQ  $32, AX
	MOVQ  AX, R14
	IMULQ DX, AX
	SHRQ  $32, AX
	CMPQ  AX, R15
	JAE   stretched

found:
	SHLXQ CX, AX, AX
	ORQ   BX, AX
	SHLQ  $6, AX
	ADDQ  R10, AX
	PREFETCHT0 (AX)
	MOVQ  AX, (R8)(R9*8)
	INCQ  R9
	JNZ   next
	RET

stretched:
	MOVQ  R14, AX
	SHRQ  $3, AX
	ADDQ  R14, AX
	IMULQ DX, AX
	SHRQ  $32, AX
	JMP   found

// func matchFast(keys *Key, home **bucket, out *Value, n int) (missed uint64)
//
// All four keys are read before the values, as the protocol wants it.
TEXT ·matchFast(SB), NOSPLIT, $0-40
	MOVQ keys+0(FP), SI
	MOVQ home+8(FP), R8
	MOVQ out+16(FP), DI
	MOVQ n+24(FP), R9
	XORL R10, R10
	MOVQ $const_valueMask, R11
	MOVQ R9, CX
	LEAQ (SI)(R9*8), SI
	LEAQ (R8)(R9*8), R8
	LEAQ (DI)(R9*8), DI
	NEGQ R9

next:
	MOVQ (R8)(R9*8), BX
	MOVQ (SI)(R9*8), DX
	VPBROADCASTQ (SI)(R9*8), Y0
	VPCMPEQQ (BX), Y0, Y0
	VPAND 32(BX), Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPOR X1, X0, X0
	VPSRLDQ $8, X0, X1
	VPOR X1, X0, X0
	VMOVQ X0, AX
	ANDQ R11, AX
	TESTQ DX, DX
	CMOVQEQ DX, AX
	MOVQ AX, (DI)(R9*8)
	CMPQ AX, $1
	RCRQ $1, R10
	INCQ R9
	JNZ  next

	// The bits of n keys stand at the top.
	NEGQ CX
	ANDQ $63, CX
	SHRQ CX, R10
	MOVQ R10, missed+32(FP)
	VZEROUPPER
	RET

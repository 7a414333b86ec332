//go:build !linux

package vfstest_test

func directFlag() int { return 0 }

func aligned(n int) []byte { return make([]byte, n) }

//go:build !unix

package vfs

// NoFollow is the flag of OpenFile that makes a symbolic link as the last
// element of the name an error; 0 where the system has no such flag.
const NoFollow = 0

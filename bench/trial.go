package main

// pages is where the memory of new page-cache pages comes from. On a virtual
// machine that gives freed memory back to its host, the first touch of each
// page costs more than writing it to the disk, so that a buffered write takes
// ten times as long as the one before and says nothing about who wrote.
type pages int

const (
	// warmPages: a scratch file was written and removed just before, so that its
	// pages are free and the machine's own.
	warmPages pages = iota
	// coldPages: memory was taken just before and is still held, so that new
	// pages are the host's to give.
	coldPages
)

// trial is a way to measure a peer; what is measured of ours beside it is the
// same, but never without its flushes.
type trial struct {
	op    string // as in peer.Request
	name  string // in the table
	pages pages
	flush bool      // the peer's files and directory are flushed, and the clock runs
	cold  bool      // a load: the files are not in the page cache
	loops int       // op loop: so many goroutines that compute
	only  string    // the only peer that has it
	limit limitKind // what is measured before and after
}

var smallSaves = trial{op: "small", name: "small saves", limit: limitFlushes}

func cases(short bool) []trial {
	all := []trial{
		{op: "save", name: "no flush, warm pages", limit: limitWrite},
		{op: "save", name: "flushed, warm pages", flush: true, limit: limitWrite},
		{op: "save", name: "no flush, cold pages", pages: coldPages, limit: limitWrite},
		{op: "save", name: "flushed, cold pages", pages: coldPages, flush: true, limit: limitWrite},
		{op: "load", name: "file on disk", cold: true, limit: limitRead},
		{op: "load", name: "file in cache", limit: limitCopy},
		{op: "async", name: "async", limit: limitCopy},
		{op: "loop", name: "one loop, warm pages", loops: 1, limit: limitWrite, only: buffered},
		{op: "loop", name: "two loops, warm pages", loops: 2, limit: limitWrite, only: buffered},
		{op: "loop", name: "one loop, cold pages", loops: 1, pages: coldPages, limit: limitWrite, only: buffered},
		{op: "loop", name: "two loops, cold pages", loops: 2, pages: coldPages, limit: limitWrite, only: buffered},
	}
	if !short {
		return all
	}
	var some []trial
	for _, c := range all {
		if c.pages == warmPages {
			some = append(some, c)
		}
	}
	return some
}

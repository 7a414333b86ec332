package checkpoint

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/hostile"
	"github.com/ckpt-dev/ckpt/internal/torture"
)

// hostileStates are state files that no program means.
func hostileStates() []string {
	path := func(p string) string {
		return fmt.Sprintf("model_checkpoint_path: %q\nall_model_checkpoint_paths: %q\n", p, p)
	}
	return []string{
		"", "\x00", "\xff\xfe", "{", "}", "<", "model_checkpoint_path", "model_checkpoint_path:", "model_checkpoint_path: 7",
		path("ckpt-1") + "all_model_checkpoint_timestamps: 1\nall_model_checkpoint_timestamps: 2\nall_model_checkpoint_timestamps: 3\n",
		path("ckpt-1") + path("ckpt-2") + "all_model_checkpoint_timestamps: 9e9\n",
		path("ckpt-1") + "all_model_checkpoint_timestamps: nan\n",
		path("ckpt-1") + "all_model_checkpoint_timestamps: inf\nlast_preserved_timestamp: -inf\n",
		path("ckpt-1") + "all_model_checkpoint_timestamps: 1e308\nlast_preserved_timestamp: 1e308\n",
		path("ckpt-1") + "last_preserved_timestamp: " + strings.Repeat("9", 400) + "\n",
		path(fmt.Sprintf("ckpt-%d", int64(math.MaxInt64))), path("ckpt-9223372036854775808"), path("ckpt--1"), path("ckpt-0"),
		path("ckpt-1.recovery"), path(".ckpt.leases/removal"), path(".ckpt.tmp-x"), path(".ckpt.lock-checkpoint"),
		path(strings.Repeat("x", 300)), path(strings.Repeat("d/", 3000) + "x"), path("a\nb"), path("a\x1b]0;b"),
		"model_checkpoint_path: \"\\377\\376\"\n", "model_checkpoint_path: \"a\\000b\"\n", "model_checkpoint_path: 'ckpt-1' 'x'\n",
		"unknown: 1\n", "unknown { " + strings.Repeat("a { ", 20000), path("ckpt-1") + strings.Repeat("[a.b] { ", 20000),
		strings.Repeat("model_checkpoint_path: \"ckpt-1\"\n", 2), "1: \"ckpt-1\"\n", "# " + strings.Repeat("x", 1<<20),
		path("ckpt-1") + strings.Repeat("all_model_checkpoint_paths: \"\"\n", 50000),
		path("ckpt-1") + strings.Repeat("all_model_checkpoint_paths: \"../x\"\n", 20000),
	}
}

// hostileJSON are texts in the place of a receipt or a lease.
func hostileJSON() []string {
	receipt := func(fields string) string { return `{"schema":1,"path":"ckpt-1",` + fields + `}` }
	return []string{
		"", "null", "[]", "7", `"x"`, "{", `{"schema":1`, "\xff", "\xef\xbb\xbf{}", "{\"schema\":1,\"path\":\"\xff\xfe\"}",
		receipt(`"path":"../../etc/x"`), receipt(`"schema":9223372036854775808`), receipt(`"schema":1e400`), receipt(`"schema":-1`),
		receipt(`"step":9223372036854775807`), receipt(`"step":1e19`), receipt(`"save_counter":9223372036854775807,"writer":"manager"`),
		receipt(`"save_counter":-9223372036854775808,"writer":"manager"`), receipt(`"duration_ms":1e308`), receipt(`"duration_ms":-1`),
		receipt(`"time":"9999-12-31T23:59:59+23:59"`), receipt(`"time":"0000-01-01T00:00:00-23:59"`), receipt(`"time":"x"`),
		receipt(`"metrics":{"loss":1e999}`), receipt(`"metrics":{"loss":"NaN","\u001b[2J":"Infinity","":-1e308}`), receipt(`"metrics":{"a":{}}`),
		receipt(`"tags":["","\u0000","\u202e","\ud800"]`), receipt(`"tags":{}`), receipt(`"pinned":"\u001b]0;x\u0007"`),
		receipt(`"files":[{"name":"../../etc/x","size":5,"crc32c":"0"},{"name":"/etc/x","size":5,"crc32c":"0"},{"name":"","size":0,"crc32c":""}]`),
		receipt(`"files":[{"name":"ckpt-1.index","size":9223372036854775807,"crc32c":"ffffffff"}]`),
		receipt(`"files":[{"name":"ckpt-1.index","size":-1,"crc32c":"ffffffff"}]`), receipt(`"files":null`),
		receipt(`"x":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000)), receipt(`"x":` + strings.Repeat("[", 100000)),
		receipt(`"x":` + strings.Repeat(`{"a":`, 12000) + "1" + strings.Repeat("}", 12000)),
		receipt(`"a":1,"a":2,"A":3,"schema":1,"Schema":2,"SCHEMA":3`), receipt(`"pinned":"a","Pinned":"","PINNED":"b"`),
		receipt(`"n":` + strings.Repeat("9", 100000)), receipt(`"` + strings.Repeat("k", 100000) + `":1`), receipt(`"\ud83d":"\udc00"`),
		`{"schema":1,"path":"ckpt-1","holder":"\u001b[2J","expires":"9999-12-31T23:59:59Z","ttl_seconds":1e308}`,
		`{"schema":1,"path":"../x","holder":"","expires":"2999-01-01T00:00:00Z"}`, `{"expires":"0001-01-01T00:00:00Z"}`,
	}
}

// TestHostileTextsInADirectoryAreErrorsOrNothing puts texts that no program
// means where ckpt keeps texts. Nothing panics, and nothing outside the
// directory is touched.
//
// Proves D24, D25.
func TestHostileTextsInADirectoryAreErrorsOrNothing(t *testing.T) {
	n := 0
	for name, texts := range map[string][]string{
		"checkpoint": hostileStates(), "ckpt-1.receipt.json": hostileJSON(), ".ckpt.leases/ckpt-1@A.json": hostileJSON(),
		".ckpt.lock-checkpoint": {"process 1 on \x1b[2J\n", "process " + strings.Repeat("9", 1<<20), "\xff"},
	} {
		for i, text := range texts {
			n += useAll(t, i, fmt.Sprintf("%s, text %d", name, i), func(g *hostile.Ground) {
				path := filepath.Join(g.Dir, filepath.FromSlash(name))
				err := os.MkdirAll(filepath.Dir(path), 0o777)
				if err == nil {
					err = os.WriteFile(path, []byte(text), 0o666)
				}
				if err != nil {
					t.Fatal(err)
				}
			})
		}
	}
	torture.Count(t, "hostile inputs", n)
}

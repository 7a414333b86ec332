package main

import (
	"bytes"
	"encoding/binary"
	"hash/crc64"
	"math/rand/v2"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// content is what a victim saves: values that its serial number determines.
type content struct {
	serial *trackable.Variable[int64]
	kernel *trackable.Variable[float32]
	bytes  *trackable.Variable[uint8]
}

func newContent() *content {
	return &content{
		serial: trackable.NewScalar("serial", int64(0)),
		kernel: trackable.NewVariable("kernel", tensor.Shape{30, 50}, make([]float32, 1500)),
		bytes:  trackable.NewVariable("bytes", tensor.Shape{20000}, make([]uint8, 20000)),
	}
}

func (c *content) objects() checkpoint.Objects {
	return checkpoint.Objects{"serial": c.serial, "kernel": c.kernel, "bytes": c.bytes}
}

func (c *content) fill(serial uint64) {
	random := rand.New(rand.NewPCG(serial, 0))
	c.serial.Value[0] = int64(serial)
	for i := range c.kernel.Value {
		c.kernel.Value[i] = random.Float32()
	}
	for i := range c.bytes.Value {
		c.bytes.Value[i] = byte(random.Uint32())
	}
}

// number returns the serial number.
func (c *content) number() uint64 { return uint64(c.serial.Value[0]) }

// digest is about every bit.
func (c *content) digest() uint64 {
	var b bytes.Buffer
	for _, values := range []any{c.serial.Value, c.kernel.Value, c.bytes.Value} {
		if err := binary.Write(&b, binary.LittleEndian, values); err != nil {
			panic(err) // these types have a fixed size
		}
	}
	return crc64.Checksum(b.Bytes(), crc64.MakeTable(crc64.ECMA))
}

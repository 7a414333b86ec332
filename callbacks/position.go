package callbacks

// position is where a training is, from what a callback is told.
type position struct {
	epoch  int64 // under way, or the last one
	batch  int64 // the last one done in it, -1 before the first
	epochs int64 // done
	steps  int64 // batches done
}

func newPosition() position { return position{batch: -1} }

func (p *position) begin(epoch int64) { p.epoch, p.epochs, p.batch = epoch, epoch, -1 }

// batchEnd counts the batches done since the last call, as Keras does
// (model_checkpoint.py, _should_save_on_batch): where a call of the trainer
// runs several, only the last is told. A batch that is not after the last one
// is of the next epoch.
func (p *position) batchEnd(batch int64) {
	if batch <= p.batch {
		p.batch = -1
	}
	p.steps += batch - p.batch
	p.batch = batch
}

func (p *position) epochEnd(epoch int64) { p.epoch, p.epochs = epoch, epoch+1 }

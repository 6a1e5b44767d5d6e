// SPDX-License-Identifier: Apache-2.0
// Whether an instruction's waits are satisfied, both together, by the counts of this cycle; and
// whether the queue may consume them at all.
module tsr_wait #(
    parameter logic [2:0] Queue = 3'd0
) (
    input tsr_tile_pkg::wait_t w0_i,
    input tsr_tile_pkg::wait_t w1_i,
    input logic [tsr_tile_pkg::SEMS*tsr_tile_pkg::COUNT_W-1:0] counts_i,
    input logic [tsr_tile_pkg::SEMS*4-1:0] consumers_i,  // {none, queue} of each
    output logic ready_o,
    output logic stranger_o  // the fault semaphore_consumer, if it starts
);

  localparam int unsigned CountW = tsr_tile_pkg::COUNT_W;
  localparam int unsigned NeedW = CountW > 6 ? CountW : 6;

  logic [NeedW-1:0] count0, count1, need1;

  assign count0 = NeedW'(counts_i[32'(w0_i.id)*CountW+:CountW]);
  assign count1 = NeedW'(counts_i[32'(w1_i.id)*CountW+:CountW]);
  // One semaphore in both slots is waited for with the sum.
  assign need1 = NeedW'(w1_i.amount) + (w0_i.amount != '0 && w0_i.id == w1_i.id ?
                                        NeedW'(w0_i.amount) : '0);
  assign ready_o = (w0_i.amount == '0 || count0 >= NeedW'(w0_i.amount)) &&
      (w1_i.amount == '0 || count1 >= need1);
  assign stranger_o = (w0_i.amount != '0 && consumers_i[32'(w0_i.id)*4+:4] != {1'b0, Queue}) ||
      (w1_i.amount != '0 && consumers_i[32'(w1_i.id)*4+:4] != {1'b0, Queue});

endmodule

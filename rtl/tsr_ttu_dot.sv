// SPDX-License-Identifier: Apache-2.0
// One output: R products, their sum T and C + T. Three stages end in registers: products;
// alignment and sums of chunks; groups, scales and the groups' alignment. Then c_o follows c_i.
module tsr_ttu_dot #(
    parameter int unsigned R9 = tsr_chip_pkg::TILE_TTU_R9,
    parameter int unsigned R16 = tsr_chip_pkg::TILE_TTU_R16,
    parameter int unsigned R6 = tsr_chip_pkg::TILE_TTU_R6,
    // derived
    parameter int unsigned Chunk =
        R6 < tsr_format_pkg::LEAST_BLOCK ? R6 : tsr_format_pkg::LEAST_BLOCK,
    parameter int unsigned Chunks = R6 / Chunk,
    parameter int unsigned Element = 3 + tsr_format_pkg::M_BITS + tsr_format_pkg::E_BITS,
    parameter int unsigned Scale = tsr_format_pkg::M_BITS + tsr_format_pkg::E_BITS,
    // Signed sums of a group with its scales: exact products, wide ones (32 bits) with one scale
    // of all bits, 9-bit integers with two.
    parameter int unsigned Exact = tsr_format_pkg::SUM_BITS + $clog2(R6),
    parameter int unsigned OneScale = 32 + $clog2(R9) + tsr_format_pkg::M_BITS,
    parameter int unsigned TwoScales =
        2 * tsr_format_pkg::M_BITS_9 + $clog2(R9) + 2 * tsr_format_pkg::M_BITS,
    parameter int unsigned Most = OneScale > TwoScales ? OneScale : TwoScales,
    parameter int unsigned V = 1 + (Most > Exact ? Most : Exact),
    parameter int unsigned T = Chunks > 1 ? V + 16 + $clog2(Chunks) : V
) (
    input logic clk_i,
    // the first stage
    input logic [R6*Element-1:0] a_i,
    input logic [R6*Element-1:0] b_i,
    // the second
    input logic wide_i,
    input logic [1:0] level_i,
    input logic [tsr_format_pkg::E_BITS:0] unit_i,  // of exact products
    // the third
    input logic [1:0] groups_i,  // level_i, a cycle later
    input logic several_i,
    input logic [Chunks*Scale-1:0] a_scales_i,
    input logic [Chunks*Scale-1:0] b_scales_i,
    // the cycle after that
    input logic plain_i,
    input logic [31:0] c_i,
    output logic [31:0] c_o
);

  localparam int unsigned M = tsr_format_pkg::M_BITS;
  localparam int unsigned E = tsr_format_pkg::E_BITS;
  localparam int unsigned Window = tsr_format_pkg::SUM_BITS;
  localparam int unsigned Sum = Window + $clog2(R6) + 1;  // of all chunks, signed
  localparam int unsigned U = E + 3;  // an exponent with two scales
  localparam logic signed [E:0] Lowest = {1'b1, {E{1'b0}}};

  // ---- products: p * 2^e, p left-aligned in 2M bits
  logic [R6-1:0] nan, up, down;
  logic [2:0] nan_q, up_q, down_q;  // in the step, by stage
  for (genvar j = 0; j < R6; j++) begin : g_product
    // Products beyond R16 are of formats of 9 bits, beyond R9 of 6.
    localparam int unsigned Mj = j < R16 ? M : j < R9 ? tsr_format_pkg::M_BITS_9 :
        tsr_format_pkg::M_BITS_6;
    logic [Element-1:0] a, b;
    logic [2*Mj-1:0] p_q;
    logic [E:0] e_q;
    logic neg_q, inf, zero;
    assign a = a_i[j*Element+:Element];
    assign b = b_i[j*Element+:Element];
    assign inf = a[E+M+1] || b[E+M+1];
    // An infinity has m = 0 like a zero.
    assign zero = (a[E+:M] == '0 && !a[E+M+1]) || (b[E+:M] == '0 && !b[E+M+1]);
    assign nan[j] = a[E+M+2] || b[E+M+2] || (inf && zero);
    assign up[j] = inf && a[E+M] == b[E+M];
    assign down[j] = inf && a[E+M] != b[E+M];
    always_ff @(posedge clk_i) begin
      p_q <= {{Mj{1'b0}}, a[E+M-1-:Mj]} * {{Mj{1'b0}}, b[E+M-1-:Mj]};
      e_q <= {a[E-1], a[E-1:0]} + {b[E-1], b[E-1:0]};
      neg_q <= a[E+M] ^ b[E+M];
    end
  end
  always_ff @(posedge clk_i) begin
    nan_q <= {nan_q[1:0], |nan};
    up_q <= {up_q[1:0], |up};
    down_q <= {down_q[1:0], |down};
  end

  // ---- wide pairs: the largest exponent of a chunk, then of the group
  logic [Chunks*(E+1)-1:0] chunk_top;
  for (genvar j = 0; j < R9; j++) begin : g_top
    logic [E:0] so_far, most;
    if (j % Chunk == 0) begin : g_first
      assign so_far = Lowest;
    end else begin : g_next
      assign so_far = g_top[j-1].most;
    end
    assign most = g_product[j].p_q != '0 && $signed(g_product[j].e_q) > $signed(so_far) ?
        g_product[j].e_q : so_far;
    if (j % Chunk == Chunk - 1 || j == R9 - 1) begin : g_last
      assign chunk_top[j/Chunk*(E+1)+:E+1] = most;
    end
  end
  for (genvar q = (R9 + Chunk - 1) / Chunk; q < Chunks; q++) begin : g_no_wide
    assign chunk_top[q*(E+1)+:E+1] = Lowest;
  end

  // ---- products cut at their group's unit, and summed by chunks
  logic [Chunks*Sum-1:0] sum_q;
  logic [Chunks*(E+2)-1:0] unit_q;
  for (genvar q = 0; q < Chunks; q++) begin : g_chunk
    logic [E:0] top;
    logic [E+1:0] unit;
    always_comb begin
      top = Lowest;
      for (int k = 0; k < Chunks; k++) begin
        if (k >> level_i == q >> level_i &&
            $signed(chunk_top[k*(E+1)+:E+1]) > $signed(top))
          top = chunk_top[k*(E+1)+:E+1];
      end
    end
    assign unit = wide_i ? {top[E], top} + (E + 2)'(2 * M) - (E + 2)'(32) : {unit_i[E], unit_i};

    for (genvar j = 0; j < Chunk; j++) begin : g_term
      localparam int unsigned Lane = q * Chunk + j;
      localparam int unsigned Mj = Lane < R16 ? M : Lane < R9 ? tsr_format_pkg::M_BITS_9 :
          tsr_format_pkg::M_BITS_6;
      logic [E+1:0] by;
      logic [Window-1:0] v;
      logic [Sum-1:0] magnitude, total;
      // 2^unit stands at bit 0 of the window.
      assign by = unit + (E + 2)'(Window - 2 * M) -
          {g_product[Lane].e_q[E], g_product[Lane].e_q};
      assign v = {g_product[Lane].p_q, {(Window - 2 * Mj) {1'b0}}} >>
          (by > (E + 2)'(63) ? 6'd63 : by[5:0]);
      assign magnitude = {{(Sum - Window) {1'b0}}, v};
      if (j == 0) begin : g_first
        assign total = g_product[Lane].neg_q ? -magnitude : magnitude;
      end else begin : g_next
        assign total = g_product[Lane].neg_q ? g_term[j-1].total - magnitude :
            g_term[j-1].total + magnitude;
      end
    end
    always_ff @(posedge clk_i) begin
      sum_q[q*Sum+:Sum] <= g_term[Chunk-1].total;
      unit_q[q*(E+2)+:E+2] <= unit;
    end
  end

  // ---- groups: at the first of their chunks, zero at the others
  logic [Chunks*V-1:0] value;
  logic [Chunks*U-1:0] power;
  logic [T-1:0] t_q;
  logic [U-1:0] t_unit_q;  // t_q counts 2^t_unit_q
  for (genvar q = 0; q < Chunks; q++) begin : g_group
    logic [Sum-1:0] group;
    logic [2*M-1:0] scales;
    always_comb begin
      group = '0;
      for (int k = 0; k < Chunks; k++) begin
        if (k >> groups_i == q >> groups_i && (q >> groups_i) << groups_i == q)
          group = group + sum_q[k*Sum+:Sum];
      end
    end
    assign scales = {{M{1'b0}}, a_scales_i[q*Scale+E+:M]} * {{M{1'b0}}, b_scales_i[q*Scale+E+:M]};
    assign value[q*V+:V] = V'($signed(group)) * V'(scales);
    assign power[q*U+:U] = U'($signed(unit_q[q*(E+2)+:E+2])) +
        U'($signed(a_scales_i[q*Scale+:E])) + U'($signed(b_scales_i[q*Scale+:E]));
  end

  if (Chunks == 1) begin : g_one
    always_ff @(posedge clk_i) begin
      t_q <= value;
      t_unit_q <= power;
    end
    logic unused;
    assign unused = several_i;
  end else begin : g_several
    // Several groups: cut toward zero 16 bits below the largest unit.
    logic [U-1:0] most;
    logic [T-1:0] total;
    logic [Chunks*T-1:0] cut;
    always_comb begin
      most = {1'b1, {(U - 1) {1'b0}}};
      for (int q = 0; q < Chunks; q++) begin
        if (value[q*V+:V] != '0 && $signed(power[q*U+:U]) > $signed(most)) most = power[q*U+:U];
      end
    end
    for (genvar q = 0; q < Chunks; q++) begin : g_cut
      logic [V-1:0] magnitude;
      logic [T-1:0] kept;
      logic [U-1:0] by;
      assign magnitude = value[q*V+V-1] ? -value[q*V+:V] : value[q*V+:V];
      assign by = most - power[q*U+:U];
      assign kept = {{(T - V - 16) {1'b0}}, magnitude, 16'd0} >> (by > U'(127) ? 7'd127 : by[6:0]);
      assign cut[q*T+:T] = value[q*V+V-1] ? -kept : kept;
    end
    always_comb begin
      total = '0;
      for (int q = 0; q < Chunks; q++) total = total + cut[q*T+:T];
    end
    always_ff @(posedge clk_i) begin
      t_q <= several_i ? total : T'($signed(value[V-1:0]));
      t_unit_q <= several_i ? most - U'(16) : power[U-1:0];
    end
  end

  tsr_ttu_accumulate #(
      .T(T),
      .U(U)
  ) u_accumulate (
      .c_i(c_i),
      .t_i(t_q),
      .unit_i(t_unit_q),
      .nan_i(nan_q[2]),
      .up_i(up_q[2]),
      .down_i(down_q[2]),
      .plain_i(plain_i),
      .c_o(c_o)
  );

endmodule

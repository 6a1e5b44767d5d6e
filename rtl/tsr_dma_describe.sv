// SPDX-License-Identifier: Apache-2.0
// A descriptor from its instruction, and every check of it; in the cycle of its start.
module tsr_dma_describe (
    input tsr_tile_pkg::unit_insn_t insn_i,
    output tsr_tile_pkg::desc_t desc_o,
    output logic bad_o  // the fault address
);

  localparam int unsigned Tiles = tsr_tile_pkg::TILES;
  localparam logic [63:0] OneTile = 64'd1;
  // Of all tiles a bit; of 64 tiles no mask has too many.
  localparam logic [63:0] AllTiles = Tiles < 64 ? (OneTile << (Tiles % 64)) - 64'd1 :
      64'hffff_ffff_ffff_ffff;
  localparam logic [63:0] Limit = 64'd1 << 40;

  logic [4:0] exec;
  logic [127:0] word;
  logic [64*tsr_isa_pkg::SLOTS-1:0] x;
  logic [63:0] src, dst, far, near, mask, list, indices;
  logic [63:0] len;
  logic [3*64-1:0] n, ss, ds, fs, ns;
  logic is_control, is_transpose;
  logic is_copy, is_gather, indexed, is_rpost, cast, by_src, far_src, far_dst;

  assign word = insn_i.word;
  assign x = insn_i.x;
  assign exec = tsr_isa_pkg::tcp_exec(word);
  assign is_copy = exec == tsr_isa_pkg::EX_COPY;
  assign is_gather = exec == tsr_isa_pkg::EX_GATHER;
  assign indexed = is_gather || exec == tsr_isa_pkg::EX_SCATTER;
  assign is_rpost = exec == tsr_isa_pkg::EX_RPOST;
  assign cast = is_copy && word[tsr_isa_pkg::TCP_COPY_MC_LSB];
  assign is_control = exec == tsr_isa_pkg::EX_TO_CONTROL;
  assign is_transpose = exec == tsr_isa_pkg::EX_TRANSPOSE;

  // Slots of copy, gather and scatter for dst, src and len are the same.
  assign dst = x[64*tsr_isa_pkg::TCP_COPY_DST_SLOT+:64];
  assign src = x[64*tsr_isa_pkg::TCP_COPY_SRC_SLOT+:64];
  assign len = x[64*tsr_isa_pkg::TCP_COPY_LEN_SLOT+:64];
  assign mask = is_rpost ? x[64*tsr_isa_pkg::TCP_RPOST_MASK_SLOT+:64] :
      x[64*tsr_isa_pkg::TCP_COPY_MASK_SLOT+:64];
  assign list = x[64*tsr_isa_pkg::TCP_GATHER_IDX_SLOT+:64];
  assign indices = x[64*tsr_isa_pkg::TCP_GATHER_N_SLOT+:64];
  assign far_src = src[63:56] != 8'd0;
  assign far_dst = dst[63:56] != 8'd0;
  assign by_src = indexed ? is_gather : far_src || cast;
  assign far = by_src ? src : dst;
  assign near = by_src ? dst : src;

  always_comb begin
    n = {64'd1, 64'd1, 64'd1};
    ss = '0;
    ds = '0;
    if (indexed) begin
      n[63:0] = indices;
      ss[63:0] = x[64*tsr_isa_pkg::TCP_GATHER_SS_SLOT+:64];
      ds[63:0] = x[64*tsr_isa_pkg::TCP_GATHER_DS_SLOT+:64];
    end else begin
      // x0 as a count: the dimension is not used.
      if (word[tsr_isa_pkg::TCP_COPY_N1_LSB+:5] != 5'd0)
        n[63:0] = x[64*tsr_isa_pkg::TCP_COPY_N1_SLOT+:64];
      if (word[tsr_isa_pkg::TCP_COPY_N2_LSB+:5] != 5'd0)
        n[127:64] = x[64*tsr_isa_pkg::TCP_COPY_N2_SLOT+:64];
      if (word[tsr_isa_pkg::TCP_COPY_N3_LSB+:5] != 5'd0)
        n[191:128] = x[64*tsr_isa_pkg::TCP_COPY_N3_SLOT+:64];
      ss = {x[64*tsr_isa_pkg::TCP_COPY_SS3_SLOT+:64], x[64*tsr_isa_pkg::TCP_COPY_SS2_SLOT+:64],
            x[64*tsr_isa_pkg::TCP_COPY_SS1_SLOT+:64]};
      ds = {x[64*tsr_isa_pkg::TCP_COPY_DS3_SLOT+:64], x[64*tsr_isa_pkg::TCP_COPY_DS2_SLOT+:64],
            x[64*tsr_isa_pkg::TCP_COPY_DS1_SLOT+:64]};
    end
    fs = by_src ? ss : ds;
    ns = by_src ? ds : ss;
  end

  // ---- at most 2^24 of each dimension, 2^40 bytes in all, 2^41 either way
  logic [5:0] far_reach, near_reach;  // beyond the limit: by dimension, then of one of no bytes
  logic [2:0] count_bad;
  logic [3*64-1:0] far_way, near_way;  // (n - 1) * stride
  for (genvar d = 0; d < 3; d++) begin : g_dimension
    logic [63:0] steps;
    logic [63:0] far_size, near_size;
    assign count_bad[d] = n[64*d+63] || n[64*d+:64] > 64'd16777216;
    assign steps = n[64*d+:64] - 64'd1;
    assign far_size = fs[64*d+63] ? 64'd0 - fs[64*d+:64] : fs[64*d+:64];
    assign near_size = ns[64*d+63] ? 64'd0 - ns[64*d+:64] : ns[64*d+:64];
    assign far_way[64*d+:64] = {39'b0, steps[24:0]} * fs[64*d+:64];
    assign near_way[64*d+:64] = {39'b0, steps[24:0]} * ns[64*d+:64];
    assign far_reach[d] = far_size > Limit;
    assign near_reach[d] = near_size > Limit;
    // strides are within 2^40 here and steps below 2^24: the product fits
    assign far_reach[3+d] = n[64*d+:64] > 64'd1 && {39'b0, steps[24:0]} * far_size > 2 * Limit;
    assign near_reach[3+d] = n[64*d+:64] > 64'd1 && {39'b0, steps[24:0]} * near_size > 2 * Limit;
  end

  logic [63:0] total1, total2, total3, most;
  logic too_much, nothing, shape_bad;
  assign total1 = {32'b0, len[31:0]} * {39'b0, n[24:0]};
  assign total2 = {23'b0, total1[40:0]} * {39'b0, n[64+:25]};
  assign total3 = {23'b0, total2[40:0]} * {39'b0, n[128+:25]};
  assign most = cast ? 64'h8000_0000 : Limit;
  assign too_much = total1 > most || total2 > most || total3 > most;
  assign shape_bad = count_bad != '0 || far_reach != '0 || near_reach != '0 ||
      len > 64'h8000_0000 || too_much;
  assign nothing = total3 == 64'd0;

  // ---- the lowest and the highest byte of each side lie in one memory
  function automatic logic [63:0] low(input logic [3*64-1:0] way);
    low = (way[63] ? way[63:0] : 64'd0) + (way[127] ? way[127:64] : 64'd0) +
        (way[191] ? way[191:128] : 64'd0);
  endfunction
  function automatic logic [63:0] high(input logic [3*64-1:0] way, input logic [63:0] bytes);
    high = bytes + (way[63] ? 64'd0 : way[63:0]) + (way[127] ? 64'd0 : way[127:64]) +
        (way[191] ? 64'd0 : way[191:128]);
  endfunction
  function automatic logic outside(input logic [63:0] base, input logic [63:0] lo,
                                   input logic [63:0] hi);
    logic [63:0] first;
    logic [63:0] bytes;
    first = base + lo;
    bytes = hi - lo;
    outside = 1'b1;
    if (first[63:56] == base[63:56]) begin
      if (base[63:56] == 8'd0)
        outside = first > 64'(tsr_tile_pkg::TSRAM_BYTES) ||
            bytes > 64'(tsr_tile_pkg::TSRAM_BYTES) - first;
      else if (base[63:56] == 8'd1)
        outside = {32'b0, first[55:32]} >= 56'(tsr_tile_pkg::CLUSTERS) ||
            {32'b0, first[31:0]} > tsr_chip_pkg::CSRAM_BYTES ||
            bytes > tsr_chip_pkg::CSRAM_BYTES - {32'b0, first[31:0]};
      else if (base[63:56] == 8'd2)
        outside = {8'b0, first[55:0]} > tsr_chip_pkg::HBM_BYTES ||
            bytes > tsr_chip_pkg::HBM_BYTES - {8'b0, first[55:0]};
    end
  endfunction

  logic near_bad, far_bad, list_bad, mask_bad, sides_bad;
  assign near_bad = outside(near, low(near_way), high(near_way, len));
  assign far_bad = !indexed && outside(far, low(far_way), high(far_way, len));
  assign list_bad = indexed && (list[1:0] != 2'd0 ||
      indices > 64'(tsr_chip_pkg::TILE_CONTROL_BYTES) / 64'd4 ||
      list > 64'(tsr_chip_pkg::TILE_CONTROL_BYTES) - {indices[61:0], 2'b0});
  assign sides_bad = indexed && (far[63:56] == 8'd0 || near[63:56] != 8'd0);
  assign mask_bad = mask == 64'd0 || (mask & ~AllTiles) != 64'd0;
  assign bad_o = is_rpost ? mask_bad : is_control ? control_bad : is_transpose ? transpose_bad :
      (cast && (far_dst || mask_bad)) || sides_bad || list_bad || shape_bad ||
      (!nothing && (near_bad || far_bad));

  // ---- transpose and to_control
  localparam int unsigned Side = tsr_tile_pkg::LANES < 64 ? tsr_tile_pkg::LANES : 64;
  localparam logic [63:0] Tsram = 64'(tsr_tile_pkg::TSRAM_BYTES);
  tsr_tile_pkg::single_t single;
  logic control_bad, transpose_bad;
  logic [63:0] c_dst, c_src, c_n, t_dst, t_src, t_rows, t_cols, t_ss, t_ds, t_from, t_to;
  logic [1:0] t_size;
  assign c_dst = x[64*tsr_isa_pkg::TCP_TO_CONTROL_DST_SLOT+:64];
  assign c_src = x[64*tsr_isa_pkg::TCP_TO_CONTROL_SRC_SLOT+:64];
  assign c_n = x[64*tsr_isa_pkg::TCP_TO_CONTROL_N_SLOT+:64];
  assign control_bad = c_dst[1:0] != 2'd0 ||
      c_n > 64'(tsr_chip_pkg::TILE_CONTROL_BYTES) / 64'd4 ||
      c_dst > 64'(tsr_chip_pkg::TILE_CONTROL_BYTES) - {c_n[61:0], 2'b0} || c_src > Tsram ||
      {c_n[61:0], 2'b0} > Tsram - c_src;
  assign t_dst = x[64*tsr_isa_pkg::TCP_TRANSPOSE_DST_SLOT+:64];
  assign t_src = x[64*tsr_isa_pkg::TCP_TRANSPOSE_SRC_SLOT+:64];
  assign t_rows = x[64*tsr_isa_pkg::TCP_TRANSPOSE_ROWS_SLOT+:64];
  assign t_cols = x[64*tsr_isa_pkg::TCP_TRANSPOSE_COLS_SLOT+:64];
  assign t_ss = x[64*tsr_isa_pkg::TCP_TRANSPOSE_SS_SLOT+:64];
  assign t_ds = x[64*tsr_isa_pkg::TCP_TRANSPOSE_DS_SLOT+:64];
  assign t_size = word[tsr_isa_pkg::TCP_TRANSPOSE_SIZE_LSB+:2];
  // Sides up to 64 and strides below 2^31: the bytes from the first row's start to the last's end.
  assign t_from = {57'd0, t_rows[6:0] - 7'd1} * {33'd0, t_ss[30:0]} +
      ({57'd0, t_cols[6:0]} << t_size);
  assign t_to = {57'd0, t_cols[6:0] - 7'd1} * {33'd0, t_ds[30:0]} +
      ({57'd0, t_rows[6:0]} << t_size);
  assign transpose_bad = t_rows - 64'd1 >= 64'(Side) || t_cols - 64'd1 >= 64'(Side) ||
      t_ss[63:31] != '0 || t_ds[63:31] != '0 || t_src > Tsram || t_dst > Tsram ||
      t_from > Tsram - t_src || t_to > Tsram - t_dst;

  always_comb begin
    single.control = is_control;
    single.src = is_control ? c_src[tsr_tile_pkg::TSRAM_W-1:0] : t_src[tsr_tile_pkg::TSRAM_W-1:0];
    single.dst = is_control ? tsr_tile_pkg::TSRAM_W'(c_dst[tsr_tile_pkg::CONTROL_W-1:0]) :
        t_dst[tsr_tile_pkg::TSRAM_W-1:0];
    single.len = {c_n[tsr_tile_pkg::CONTROL_W-2:0], 2'b0};
    single.rows = is_control ? 7'd1 : t_rows[6:0];
    single.cols = t_cols[6:0];
    single.ss = t_ss[tsr_tile_pkg::TSRAM_W-1:0];
    single.ds = t_ds[tsr_tile_pkg::TSRAM_W-1:0];
    single.size = t_size;
  end

  logic merged;
  assign merged = !indexed && fs[63:0] == len && n[63:0] > 64'd1 &&
      (!(far_src && far_dst) || ns[63:0] == len);

  always_comb begin
    desc_o = '0;
    desc_o.kind = is_rpost ? tsr_tile_pkg::DESC_RPOST :
        is_control || is_transpose ? tsr_tile_pkg::DESC_SINGLE :
        cast ? tsr_tile_pkg::DESC_CAST :
        indexed ? (is_gather ? tsr_tile_pkg::DESC_READ : tsr_tile_pkg::DESC_WRITE) :
        far_src && far_dst ? tsr_tile_pkg::DESC_FORWARD :
        far_src ? tsr_tile_pkg::DESC_READ :
        far_dst ? tsr_tile_pkg::DESC_WRITE : tsr_tile_pkg::DESC_LOCAL;
    desc_o.nothing = (is_copy || indexed) && nothing;
    desc_o.merged = merged;
    desc_o.indexed = indexed;
    desc_o.index_at = list[tsr_tile_pkg::CONTROL_W-1:0];
    desc_o.far_at = far;
    desc_o.near_at = near;
    desc_o.fs0 = fs[63:0];
    desc_o.fs1 = fs[127:64];
    desc_o.fs2 = fs[191:128];
    desc_o.ns0 = ns[63:0];
    desc_o.ns1 = ns[127:64];
    desc_o.ns2 = ns[191:128];
    desc_o.n0 = n[24:0];
    desc_o.n1 = n[64+:25];
    desc_o.n2 = n[128+:25];
    desc_o.len = len[31:0];
    desc_o.run = merged ? total1[40:0] : {9'b0, len[31:0]};
    desc_o.total = is_control || is_transpose ? 41'd1 : total3[40:0];
    desc_o.mask = mask;
    desc_o.single = single;
    desc_o.sem = word[tsr_isa_pkg::TCP_RPOST_SEM_LSB+:6];
  end

endmodule

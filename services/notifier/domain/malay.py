"""The words of the codes of letters in Malay."""

from collections.abc import Mapping
from typing import Final

MALAY: Final[Mapping[str, Mapping[str, str]]] = {
    "outcome": {
        "APPROVED": "diluluskan",
        "PARTIAL": "diluluskan sebahagian",
        "DENIED": "tidak diluluskan",
        "DEFERRED": "terlalu awal untuk diputuskan",
        "INFO_REQUIRED": "dokumen tambahan diperlukan",
        "ON_HOLD": "ditangguhkan",
    },
    "instrument": {"cash": "bayaran", "wallet": "kredit akaun", "voucher": "baucar"},
    "cancellation": {
        "CUSTOMER_CANCEL": "atas permintaan anda",
        "ORDER_CANCELLED": "pesanan telah dibatalkan",
        "DUPLICATE_CHARGE": "premium telah dicaj dua kali",
        "COVER_NOT_PROVIDED": "perlindungan tidak dapat diberikan",
    },
    "line": {
        "GROSS": "Jumlah mengikut formula pelan",
        "CAP_INSURED": "Selepas had nilai diinsuranskan",
        "CAP_PROGRAMME": "Selepas had program",
        "CAP_TIER": "Selepas had peringkat",
        "CAP_TOTAL_VALUE": "Selepas had jumlah nilai",
        "CAP_DELAY_PCT": "Selepas had kelewatan (peratus)",
        "CAP_DELAY_ABS": "Selepas had kelewatan (jumlah)",
        "CAP_INSURER_APPROVED": "Selepas jumlah yang diluluskan oleh penanggung insurans",
        "CAP_BIY": "Selepas had barang yang anda beli sendiri",
        "CAP_ACTUAL_VALUE": "Selepas had nilai sebenar",
        "ROUNDED": "Selepas dibundarkan",
    },
    "reason": {
        "NOT_INSURED": "Bungkusan ini tidak diinsuranskan dengan kami. Anda masih boleh memohon "
        "pampasan daripada syarikat penghantaran.",
        "NOT_IN_FORCE": "Insurans belum berkuat kuasa ketika ini berlaku.",
        "PREMIUM_INCOMPLETE": "Premium belum dibayar sepenuhnya ketika ini berlaku.",
        "POLICY_INVALID": "Insurans tidak sah: dokumen tidak disahkan dalam masa yang ditetapkan.",
        "POLICY_VOID": "Insurans telah terbatal sebelum ini berlaku.",
        "POLICY_CANCELLED": "Insurans telah dibatalkan sebelum ini berlaku.",
        "BEFORE_COVER_START": "Ini berlaku sebelum perlindungan bermula.",
        "AFTER_COVER_END": "Ini berlaku selepas perlindungan tamat.",
        "PERIL_NOT_COVERED": "Insurans tidak melindungi kejadian seperti ini.",
        "LINE_EXCLUDED": "Ini tidak dilindungi untuk laluan penghantaran yang dipilih.",
        "GOODS_EXCLUDED": "Barang jenis ini tidak diinsuranskan.",
        "EXCLUDED_CAUSE": "Puncanya tidak dilindungi: {detail}.",
        "DUPLICATE_CLAIM": "Sudah ada tuntutan untuk perkara yang sama.",
        "OTHER_PERIL_CLAIMED": "Sudah ada tuntutan untuk kejadian lain bagi bungkusan ini, dan "
        "insurans hanya membayar untuk satu kejadian.",
        "COVER_EXHAUSTED": "Nilai diinsuranskan telah dibayar sepenuhnya.",
        "TOO_EARLY": "Masih terlalu awal: tempoh menunggu belum tamat.",
        "LATE_NOTICE": "Kami dimaklumkan terlalu lewat.",
        "NOT_DELAYED": "Bungkusan tidak lewat mengikut ukuran pelan.",
        "EVIDENCE_NOT_PROVIDED": "Bukti yang diperlukan tidak diterima dalam masa yang ditetapkan: "
        "{detail}.",
        "VIDEO_ELEMENT_MISSING": "Video buka bungkusan tidak menunjukkan: {detail}.",
        "CLEAN_RECEIPT": "Bungkusan diterima tanpa catatan kehilangan atau kerosakan.",
        "ORIGINAL_PACKING": "Barang dihantar dalam pembungkusan asal penjual, yang kerosakannya "
        "tidak dilindungi.",
        "DELIVERED": "Rekod syarikat penghantaran menunjukkan bungkusan telah dihantar.",
        "FREIGHT_UNPAID": "Tambang belum dibayar; tuntutan diteruskan selepas ia dibayar.",
        "CAP_INSURED": "Bayaran tidak melebihi nilai diinsuranskan.",
        "CAP_PROGRAMME": "Bayaran tidak melebihi had program.",
        "CAP_TOTAL_VALUE": "Bersama bayaran syarikat penghantaran, jumlahnya tidak melebihi nilai "
        "barang.",
        "NO_RESIDUAL_LOSS": "Selepas bayaran pihak lain, tiada kerugian yang tinggal.",
        "MODE_NOT_COVERED": "Ini tidak dilindungi untuk cara pengangkutan ini.",
        "BENEFIT_USED": "Manfaat ini telah digunakan.",
        "FALSE_EVIDENCE": "Bukti yang diberikan tidak benar.",
        "WATERPROOF_NOT_SELECTED": "Pembungkusan kalis air tidak dipilih untuk bungkusan ini.",
        "MINOR_DEFORMATION": "Kerosakan itu hanyalah perubahan bentuk kecil, yang tidak dilindungi.",
        "BIY_NOT_MARKED": "Barang yang anda beli sendiri tidak diisytiharkan sebagai barang sedemikian.",
        "AWAITING_CARRIER": "Kami sedang menunggu jawapan syarikat penghantaran.",
        "AWAITING_INSURER": "Kami sedang menunggu jawapan penanggung insurans.",
        "CAP_TIER": "Bayaran tidak melebihi peratusan bagi nilai ini.",
        "CAP_DELAY_PCT": "Bagi kelewatan, hanya sebahagian daripada nilai diinsuranskan atau "
        "tambang dibayar.",
        "CAP_DELAY_ABS": "Bagi kelewatan, bayaran untuk setiap pesanan ada had tetap.",
        "CAP_INSURER_APPROVED": "Bayaran tidak melebihi jumlah yang diluluskan oleh penanggung "
        "insurans.",
        "CAP_BIY": "Bagi barang yang anda beli sendiri, bayaran dihadkan mengikut berat dan nilai.",
        "CAP_ACTUAL_VALUE": "Nilai sebenar barang yang dikira.",
        "OVER_LIMIT": "Nilainya melebihi nilai tertinggi yang boleh diinsuranskan.",
        "OVER_VALUE": "Nilai diinsuranskan jauh melebihi nilai yang diisytiharkan.",
        "APPEAL_LATE": "Rayuan dibuat selepas tarikh akhirnya.",
        "APPEAL_TIER_SKIPPED": "Rayuan sebelum ini perlu diputuskan dahulu.",
        "APPEAL_EXHAUSTED": "Tiada rayuan selanjutnya.",
        "PARCEL_FOUND": "Terdapat berita tentang bungkusan: ia telah dikesan semula.",
        "OTHER": "Terdapat sebab lain ({detail}).",
    },
    "scan": {
        "lost": "mungkin telah hilang",
        "destroyed": "mungkin telah dimusnahkan",
        "damaged": "mungkin telah rosak",
        "seized": "mungkin telah dirampas oleh pihak berkuasa",
        "returned": "telah dihantar balik",
    },
    "paper_field": {
        "product_name": "nama produk",
        "picture": "gambar produk",
        "price": "harga produk",
        "quantity": "kuantiti",
        "actual_payment_amount": "jumlah yang sebenarnya dibayar",
    },
    "invalid_cause": {
        "DOCUMENTS_LAPSED": "bukti pembelian yang diminta tidak diterima dalam masa yang ditetapkan",
        "GOODS_DECLINED": "barang jenis ini tidak boleh diinsuranskan",
    },
    "void_cause": {
        "address_changed": "alamat penghantaran diubah selepas insurans dibeli",
        "fraud": "maklumat yang diberikan kepada kami tidak benar",
    },
    "refund_reason": {
        "OVERPAID": "anda membayar lebih daripada yang perlu dibayar",
        "DUPLICATE_CHARGE": "premium telah dicaj dua kali",
        "LATE": "bayaran anda diterima selepas tarikh akhir",
        "POLICY_ENDED": "insurans telah tamat sebelum bayaran anda diterima",
        "NOT_CONFIRMED": "anda membayar sebelum premium disahkan",
    },
    "reversal": {
        "REFUNDED": "bayaran itu telah dikembalikan kepada anda",
        "DISPUTE_LOST": "bayaran itu dipertikaikan dan telah dikembalikan kepada anda",
    },
    "repayment_why": {
        "CARRIER_PAID_LATE": "syarikat penghantaran juga telah membayar anda, dan jumlahnya "
        "melebihi kerugian",
        "PARCEL_FOUND": "bungkusan ditemui selepas tuntutan dibayar",
        "FRAUD": "tuntutan dibayar berdasarkan maklumat yang tidak benar",
    },
    "clock": {
        "DECIDE": "keputusan tuntutan",
        "PAY": "bayaran",
        "ADVANCE": "bayaran pendahuluan",
        "CARRIER_REPLY": "jawapan syarikat penghantaran",
        "APPEAL_DECIDE": "keputusan rayuan",
    },
    "approval": {
        "decision": "keputusan",
        "payout": "bayaran",
        "appeal": "keputusan rayuan",
    },
}
